"""A model folder appears under its name whole or not at all.

Law: everything is written into a draft beside the target, brought to the disk, and moved in one step; what was under
the name before goes only when that was asked for, and only after the draft is whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import ConfigurationError

MARKS = ("manifest.json", "config.json", "adapter_config.json")
"""A folder with one of these is a model: it may be replaced when asked. Anything else never is."""


def refuse_existing(target: Path, *, force: bool = False) -> None:
    """Raises ConfigurationError when `target` may not be written."""
    if not target.name or target.name == "..":
        raise ConfigurationError(f"{target} is no name for a new folder: name one")
    if not (target.exists() or target.is_symlink()):
        return
    if not force:
        raise ConfigurationError(f"{target} exists already: choose another name, or overwrite it with --force")
    if target.is_symlink() or not any((target / name).is_file() for name in MARKS):
        raise ConfigurationError(f"{target} holds no model, so --force does not overwrite it: choose another name")


@contextmanager
def published(target: Path, *, force: bool = False) -> Iterator[Path]:
    """Gives a draft folder to fill; when the block ends without an error it stands at `target`."""
    refuse_existing(target, force=force)
    draft = _beside(target, "draft")
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)  # of a run that was killed
        draft.mkdir()
        yield draft
        _readable(draft)
        to_disk(draft)
        refuse_existing(target, force=force)  # it may have come in the meantime
        _move(draft, target)
    except OSError as error:
        remedy = "free some space or choose another folder, and start the same command again"
        raise ConfigurationError(f"{target} can't be written ({error.strerror or error}): {remedy}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def to_disk(folder: Path) -> None:
    """All files of the folder, and the folders themselves, survive a loss of power from here on."""
    for path in (*sorted(folder.rglob("*")), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _readable(folder: Path) -> None:
    """Some writers of weights give a file to its owner alone; a service that runs as another user must read it."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _move(draft: Path, target: Path) -> None:
    if not target.exists():
        os.rename(draft, target)
        return
    old = _beside(target, "old")
    shutil.rmtree(old, ignore_errors=True)
    os.rename(target, old)
    try:
        os.rename(draft, target)
    except OSError:
        os.rename(old, target)
        raise
    shutil.rmtree(old)


def _beside(target: Path, role: str) -> Path:
    return target.parent / f".{target.name}.{role}"
