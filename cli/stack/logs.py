"""One log file for each part, in DELIBERATE_HOME/logs; the one before it is kept as `.1` when it has grown large."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

ROTATE_BYTES = 10 * 1024 * 1024
TAIL_BYTES = 4096
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* +[A-Z]+ +[\w.]+:? +")


def open_log(folder: Path, name: str) -> IO[bytes]:
    path = log_path(folder, name)
    if path.exists() and path.stat().st_size > ROTATE_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def log_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.log"


def last_line(path: Path, *words: str) -> str:
    """The last line that says something, without its time and logger, cut to 300 characters; empty for none.

    One with any of `words` comes before others.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    said = [line for line in said if any(word in line for word in words)] or said
    return _STAMP.sub("", said[-1])[-300:] if said else ""
