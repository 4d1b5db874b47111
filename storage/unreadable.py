"""Reading the events of claimed jobs. A trace that can't be read ends its job instead of failing every claim."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.codec import decode_event
from domain.errors import DeliberateError
from domain.events import Event
from domain.job import JobError, JobStatus, finish
from domain.verdict import StopReason, status_after
from storage.stopping import stop_job

_READ = text("SELECT job_id, seq, body FROM events WHERE job_id = ANY(CAST(:ids AS text[])) ORDER BY job_id, seq")
_WHY = "The stored trace of this job can't be read by this version of the service."


async def read_or_end(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, tuple[Event, ...]]:
    """The events of each job, in one query; jobs in progress whose trace can't be read are ended and left out."""
    bodies: dict[str, list[tuple[int, Any]]] = {job: [] for job in ids}
    for row in await connection.execute(_READ, {"ids": list(ids)}):
        bodies[row.job_id].append((row.seq, row.body))
    traces = {}
    for job, stored in bodies.items():
        await asyncio.sleep(0)  # the worker's other searches go on while long traces are decoded
        try:
            traces[job] = _decoded(stored)
        except (KeyError, TypeError, ValueError, DeliberateError):
            await _end(connection, job)
    return traces


def _decoded(stored: Sequence[tuple[int, Any]]) -> tuple[Event, ...]:
    if [seq for seq, _ in stored] != list(range(len(stored))) or not stored:
        raise ValueError("events are missing")
    return tuple(decode_event(body) for _, body in stored)


async def _end(connection: AsyncConnection, job: str) -> None:
    finish(JobStatus.IN_PROGRESS, status_after(StopReason.INTERNAL_ERROR))
    await stop_job(connection, job, StopReason.INTERNAL_ERROR, JobError("internal_error", _WHY), _WHY)
