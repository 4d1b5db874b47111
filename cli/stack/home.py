"""DELIBERATE_HOME: made private at the first start, and checked for room before anything is written into it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from cli.stack.record import RUNTIME_PREFIX
from domain.errors import ConfigurationError

NEEDED_BYTES = 300 * 1024 * 1024
"""A new Postgres takes 40 MB, its log of changes up to 200 MB more."""
FOLDERS = ("run", "logs")
API_KEY_FILE = "api_key"
WEBHOOK_SECRET_FILE = "webhook_secret"
LOCK_FILE = "stack.lock"
SHORT_FOLDER = Path("/tmp")


def open_home(home: Path) -> None:
    """Raises ConfigurationError with one line that names the folder and the remedy."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in FOLDERS:
            (home / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unusable(home, error) from None
    if not os.access(home, os.W_OK | os.X_OK):
        raise ConfigurationError(f"DELIBERATE_HOME={home} is not writable: set it to a folder of yours")
    free = shutil.disk_usage(home).free
    if free < NEEDED_BYTES:
        raise ConfigurationError(
            f"the disk of DELIBERATE_HOME={home} has {free // 2**20} MB free and {NEEDED_BYTES // 2**20} MB are needed:"
            " free some space, or set DELIBERATE_HOME to another disk"
        )


def unusable(home: Path, error: OSError) -> ConfigurationError:
    """What to tell about a failed write."""
    remedy = "free some space" if error.errno == errno.ENOSPC else "set DELIBERATE_HOME to a folder of yours"
    return ConfigurationError(f"can't write to DELIBERATE_HOME={home} ({error.strerror or error}): {remedy}")


def make_runtime() -> Path:
    """A new private folder with a short path, for sockets (whose paths may have about 100 characters)."""
    folder = SHORT_FOLDER if os.access(SHORT_FOLDER, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    return Path(tempfile.mkdtemp(prefix=RUNTIME_PREFIX, dir=folder))
