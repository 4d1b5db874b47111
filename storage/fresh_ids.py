"""New identifiers, from this machine's clock and the system's entropy."""

from __future__ import annotations

import secrets
import time

from domain.ids import ENTROPY_BYTES, make_id


def fresh_id(prefix: str) -> str:
    return make_id(prefix, time.time_ns() // 1_000_000, secrets.token_bytes(ENTROPY_BYTES))
