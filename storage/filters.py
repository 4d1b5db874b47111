"""Which jobs a list is to show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, text

from domain.ids import ENTROPY_BYTES, is_id, make_id
from domain.job import JobStatus
from domain.webhook_events import Announces
from storage.tables import jobs

CLOCKS_DIFFER_MS = 3_600_000
"""Ids carry their maker's clock, `created_at` the database's: a range of ids is taken so much wider."""

# Said twice, so that the partial index, which leaves jobs without labels out, can be used.
_LABELS = text("jobs.labels @> CAST(:labels AS text[]) AND jobs.labels <> '{}'")
_NUL = r"\u0000"
_NO_LINE = text(f"jobs.announces <> '{Announces.BATCH.value}'")
"""Literally as in the index's own condition."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Empty or None: not asked for."""

    statuses: tuple[JobStatus, ...] = ()
    """One of these."""
    labels: tuple[str, ...] = ()
    """All of these. Lines of a batch are shown to those who ask for its label, its id, and to nobody else."""
    metadata: tuple[tuple[str, str], ...] = ()
    """All of these pairs."""
    created_from: float | None = None
    """Unix seconds; that moment itself is in."""
    created_until: float | None = None
    """Unix seconds; that moment itself is out."""


EVERY = JobFilter()
"""All but the lines of batches."""


def filtered(query: Select[Any], wanted: JobFilter) -> Select[Any]:
    if not any(is_id("batch", label) for label in wanted.labels):
        query = query.where(_NO_LINE)
    if wanted.statuses:
        query = query.where(jobs.c.status.in_([status.value for status in wanted.statuses]))
    if wanted.labels:
        query = query.where(_LABELS.bindparams(labels=list(wanted.labels)))
    for number, (name, value) in enumerate(wanted.metadata):
        query = query.where(_pair(number).bindparams(**{f"name_{number}": name, f"value_{number}": value}))
    if wanted.created_from is not None:
        query = query.where(jobs.c.created_at >= _moment(wanted.created_from))
        query = query.where(jobs.c.id >= _id_at(wanted.created_from, -CLOCKS_DIFFER_MS))
    if wanted.created_until is not None:
        query = query.where(jobs.c.created_at < _moment(wanted.created_until))
        query = query.where(jobs.c.id < _id_at(wanted.created_until, CLOCKS_DIFFER_MS))
    return query


def _pair(number: int) -> Any:
    """Postgres can't take a text out of JSON that has a NUL character anywhere; such metadata matches nothing."""
    return text(
        f"CASE WHEN position('{_NUL}' in jobs.metadata::text) > 0 THEN false"
        f" ELSE jobs.metadata ->> :name_{number} = :value_{number} END"
    )


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


def _id_at(unix_s: float, slack_ms: int) -> str:
    return make_id("job", min(max(0, int(unix_s * 1000) + slack_ms), 2**48 - 1), bytes(ENTROPY_BYTES))
