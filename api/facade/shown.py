"""The solutions that an ended job's response shows, taken from its trace once and kept beside it.

Law: the first one is the verdict's. When no solution ended in an answer, what the policy wrote is shown all the same:
a caller who asked for prose gets prose, and the status says that there is no answer.
"""

from __future__ import annotations

from dataclasses import replace

from api.services import Services
from api.views import is_final
from domain.events import Event
from search.rollouts import shown_solutions
from storage.response_records import ResponseRecord
from storage.traces import MAX_PAGE


async def with_shown(services: Services, record: ResponseRecord) -> ResponseRecord:
    """The record, with its output when its job has ended. Raises NotFound, Unavailable."""
    if record.shown is not None or not is_final(record.job) or record.job.verdict is None:
        return record
    events = await _events(services, record)
    shown = shown_solutions(record.job.verdict, events, record.request.get("choices", 1))
    await services.responses.show(record, shown)
    return replace(record, shown=shown)


async def _events(services: Services, record: ResponseRecord) -> list[Event]:
    events: list[Event] = []
    more = True
    while more:
        page, more = await services.traces.page(record.job.tenant, record.job.id, after=len(events) - 1, limit=MAX_PAGE)
        events += [stored.event for stored in page]
    return events
