"""Whether the disk has room for a run, asked before it starts rather than found out after hours."""

from __future__ import annotations

import shutil
from pathlib import Path

from domain.errors import ConfigurationError

RESERVE_BYTES = 64 << 20
"""What must stay free for everything else."""


def require_free(folder: Path, needed_bytes: int, what: str) -> None:
    """Raises ConfigurationError when the disk of `folder` (or of its nearest parent) has too little room for `what`."""
    place = _existing(folder)
    free = shutil.disk_usage(place).free
    if free < needed_bytes + RESERVE_BYTES:
        raise ConfigurationError(
            f"{place} has {_gb(free)} free and {what} needs {_gb(needed_bytes + RESERVE_BYTES)}:"
            " free some space or choose a folder on another disk"
        )


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _gb(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
