"""Scratch folders of tests, with short paths; those of a test process that was killed go at the next start."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

ENOUGH_BYTES = 1 << 30
_NAME = re.compile(r"^dlb-(\d+)-")


def short_folder() -> Path:
    """A new folder whose path leaves room for a unix socket (107 bytes in all); TMPDIR may be too long for that."""
    return _new(Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir()))


def memory_folder() -> Path:
    """A new folder in memory where there is enough of it (Docker gives 64 MB of /dev/shm), else on the disk."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ENOUGH_BYTES:
        return _new(memory)
    return short_folder()


def _new(parent: Path) -> Path:
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"dlb-{os.getpid()}-", dir=parent))
    folder.chmod(0o711)  # as root, servers run as another user, who has to pass
    return folder


def _sweep(parent: Path) -> None:
    for folder in parent.iterdir():
        match = _NAME.match(folder.name)
        if match and not _alive(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
