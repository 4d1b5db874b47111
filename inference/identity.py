"""A model's id: its spec and a checksum of its content, so that call keys change when the weights do.

Law: the same files give the same id on every machine; times and paths play no part in the checksum.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_WHOLE_BYTES = 64 << 20
_BLOCK_BYTES = 1 << 20
_SMALL = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def folder_id(spec: str, folder: Path, weights: list[Path]) -> str:
    """For example `models/policy@3f9a0c1b77de`."""
    digest = hashlib.blake2b(digest_size=6)
    for name in _SMALL:
        path = folder / name
        digest.update(path.read_bytes() if path.is_file() else b"\x00")
    for path in weights:
        _add_weights(digest, path)
    return f"{spec}@{digest.hexdigest()}"


def _add_weights(digest: hashlib.blake2b, path: Path) -> None:
    """All of a small file; of a large one its size, its header and blocks spread evenly over it."""
    size = path.stat().st_size
    digest.update(str(size).encode())
    offsets = range(0, size, _BLOCK_BYTES if size <= _WHOLE_BYTES else max(_BLOCK_BYTES, size // 64))
    with path.open("rb") as stream:
        for offset in offsets:
            stream.seek(offset)
            digest.update(stream.read(_BLOCK_BYTES))
