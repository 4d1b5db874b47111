"""`metadata[name]=value` in the query of a list: an object in a query, as OpenAPI's deepObject style writes it."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from api.submission import LONGEST_METADATA_KEY, LONGEST_METADATA_VALUE, MOST_METADATA
from domain.errors import InvalidRequest

METADATA_FILTER: dict[str, Any] = {
    "parameters": [
        {
            "name": "metadata",
            "in": "query",
            "required": False,
            "style": "deepObject",
            "explode": True,
            "schema": {
                "type": "object",
                "additionalProperties": {"type": "string", "maxLength": LONGEST_METADATA_VALUE},
                "maxProperties": MOST_METADATA,
            },
            "description": "`metadata[name]=value`: jobs whose metadata has all of these pairs.",
        }
    ]
}


def metadata_filter(request: Request) -> tuple[tuple[str, str], ...]:
    """The pairs asked for. Raises InvalidRequest."""
    pairs = [
        (name.removeprefix("metadata[").removesuffix("]"), value)
        for name, value in request.query_params.multi_items()
        if name.startswith("metadata[") and name.endswith("]")
    ]
    if len(pairs) > MOST_METADATA:
        raise InvalidRequest(f"at most {MOST_METADATA} metadata filters", param="metadata")
    for name, value in pairs:
        if not 1 <= len(name) <= LONGEST_METADATA_KEY or len(value) > LONGEST_METADATA_VALUE or "\x00" in name + value:
            raise InvalidRequest("a metadata filter must be metadata[name]=value", param="metadata")
    return tuple(pairs)
