"""Which scope a route needs, by its address: `GET` reads, everything else writes.

Law: a route that is not in the table needs the scope of the operator, so that nothing new is open by oversight.
"""

from __future__ import annotations

from domain.scopes import ADMIN

_AREAS: tuple[tuple[str, str], ...] = (
    ("/v1/reasoning/batches", "batches"),
    ("/v1/reasoning/", "jobs"),
    ("/v1/responses", "jobs"),
    ("/v1/chat/", "jobs"),
    ("/v1/models", "jobs"),
    ("/v1/usage", "jobs"),
    ("/v1/files", "files"),
    ("/v1/batches", "batches"),
    ("/v1/webhook", "webhooks"),
)


def scope_of(method: str, path: str) -> str:
    """`path` as the route has it, such as `/v1/reasoning/jobs/{job_id}`."""
    area = next((area for prefix, area in _AREAS if path.startswith(prefix)), None)
    if area is None:
        return ADMIN
    return f"{area}:{'read' if method in ('GET', 'HEAD') else 'write'}"
