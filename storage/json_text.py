"""Domain values to the text of JSON columns. ASCII only, so that NUL and lone surrogates survive as escapes."""

from __future__ import annotations

import json
from typing import Any

from domain.codec import encode_stored


def json_text(value: Any) -> str:
    """The stored form. Raises ValueError for NaN and infinities, which JSON does not have."""
    return json.dumps(encode_stored(value), allow_nan=False, separators=(",", ":"))
