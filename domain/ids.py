"""Identifiers: a short prefix that says what it is, then 26 Crockford base-32 characters.

The caller gives the entropy and the time, so that this module stays pure. Ids made later sort later (as ULIDs do),
which keeps index pages warm and makes a cursor of an id.
"""

from __future__ import annotations

import hashlib
import re
from typing import NewType

JobId = NewType("JobId", str)
TenantId = NewType("TenantId", str)
DeliveryId = NewType("DeliveryId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = re.compile(r"^[a-z]{2,8}_[0-9a-hjkmnp-tv-z]{26}$")
ENTROPY_BYTES = 10


def make_id(prefix: str, unix_ms: int, entropy: bytes) -> str:
    """An id such as `job_01j…`: 48 bits of Unix time in milliseconds, then 80 bits of entropy."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"entropy must be {ENTROPY_BYTES} bytes")
    number = (unix_ms << 80) | int.from_bytes(entropy, "big")
    digits = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"


def is_id(prefix: str, text: str) -> bool:
    """Whether `text` is an id with this prefix (a cheap check before a database is asked)."""
    return text.startswith(prefix + "_") and _ID.match(text) is not None


def id_pattern(prefix: str) -> str:
    """The ids with this prefix as a regular expression, for schemas."""
    return f"^{prefix}_[0-9a-hjkmnp-tv-z]{{26}}$"


def derive_seed(root: int, *path: int | str) -> int:
    """A 63-bit seed for one place in a search: the same root and path always give the same seed."""
    digest = hashlib.blake2b("/".join(map(str, (root, *path))).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def call_key(job: str, kind: str, node: int, seed: int, model: str, parameters: str) -> str:
    """The key under which a call's effect and cost count once, whatever number of times it ran."""
    text = "\x1f".join((job, kind, str(node), str(seed), model, parameters))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
