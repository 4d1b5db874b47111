"""What an API key may do. A key has any number of scopes; none implies another."""

from __future__ import annotations

from collections.abc import Iterable

from domain.errors import InvalidRequest

ADMIN = "admin"
"""Tenants, keys, usage and the audit log of the whole service: the operator's scope."""
AREAS = ("jobs", "files", "batches", "webhooks")
"""`jobs` covers responses, chat completions and models too."""
OF_TENANTS = tuple(f"{area}:{right}" for area in AREAS for right in ("read", "write"))
"""All that a tenant may do with its own objects: the default of a new key."""
SCOPES = (*OF_TENANTS, ADMIN)


def parse_scopes(values: Iterable[object]) -> tuple[str, ...]:
    """In the order of `SCOPES`, each once. Raises InvalidRequest."""
    wanted = set()
    for value in values:
        if value not in SCOPES:
            raise InvalidRequest(f"unknown scope: use {', '.join(SCOPES)}", param="scopes")
        wanted.add(value)
    if not wanted:
        raise InvalidRequest("a key needs at least one scope", param="scopes")
    return tuple(scope for scope in SCOPES if scope in wanted)
