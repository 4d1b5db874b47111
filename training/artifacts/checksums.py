"""SHA256SUMS: the checksums of all files of a model folder, in the format of `sha256sum`.

Law: a folder that carries the file is trusted only when every file in it is what the list says.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from domain.errors import ConfigurationError

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")
_BLOCK_BYTES = 1 << 20


def sha256(path: Path) -> str:
    """Hexadecimal digest of one file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def weights_sha256(folder: Path) -> dict[str, str]:
    """The digest of each weights file, by name."""
    return {path.name: sha256(path) for path in sorted(folder.glob("*.safetensors"))}


def write_sums(folder: Path) -> Path:
    """Lists every file of the folder; written last, when nothing changes any more."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != NAME)
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    target = folder / NAME
    target.write_text("".join(lines), encoding="utf-8")
    return target


def verify_sums(folder: Path) -> bool:
    """Whether there is a list; raises ConfigurationError when a file is not what it says. Files beside it may be added.

    Reads all weights once: about a second for each GB.
    """
    listing = folder / NAME
    if not listing.is_file():
        return False
    for number, text in enumerate(_text(listing).splitlines(), 1):
        found = _LINE.fullmatch(text)
        if found is None:
            raise ConfigurationError(f"{listing}:{number}: this is no checksum and file name: copy the file again")
        _check(folder / found[2], found[1])
    return True


def _text(listing: Path) -> str:
    try:
        return listing.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{listing} can't be read: copy the file again") from None


def _check(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ConfigurationError(f"{path} is missing, and {NAME} lists it: copy the file again")
    if sha256(path) != expected:
        remedy = f"copy the file again, or delete {NAME} if you changed it yourself"
        raise ConfigurationError(f"{path} has another checksum than {NAME} says: {remedy}")
