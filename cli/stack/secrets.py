"""Secrets of an embedded stack: made once, kept in files that only their owner may read, never shown in a log."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

PRIVATE = 0o600


def password() -> str:
    """256 random bits that need no quoting in a URL or a configuration file."""
    return secrets.token_hex(32)


def api_key() -> str:
    """A key in the form `dlb_<id>_<secret>`."""
    return f"dlb_{secrets.token_hex(8)}_{secrets.token_hex(32)}"


def keep(path: Path, make: Callable[[], str]) -> str:
    """The secret in `path`; made and stored with mode 0600 when there is none yet."""
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        text = ""
    if not text:
        text = make()
        write_private(path, text + "\n")
    return text


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; nobody but its owner can read it at any moment."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    draft.replace(path)
