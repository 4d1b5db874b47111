"""The stream of a response as a log: which events there are by now, numbered from 0.

Law: the log follows from the response and its job alone. Read later it is longer and never different, so that a stream
can be taken up after any number, in any process and after any restart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from domain.facade.facts import ResponseFacts
from domain.facade.items import Item
from domain.facade.views import opening_view, output_items, response_view
from domain.job import FINAL, JobStatus

Event = dict[str, Any]
WORDS = 4
"""Words that one delta brings."""
_ENDS = {JobStatus.COMPLETED: "response.completed", JobStatus.FAILED: "response.failed"}
"""All others are `response.incomplete`; also of a cancelled one, for which OpenAI has no event: see its `status`."""
_PIECE = re.compile(rf"(?:\S+\s*|\s+){{1,{WORDS}}}")


def log_of(record: ResponseFacts) -> list[Event]:
    """All events so far. An ended job needs its output (`ResponseFacts.shown`)."""
    return [event | {"sequence_number": number} for number, event in enumerate(_events(record))]


def pieces(text: str) -> list[str]:
    """A text in parts that give the text again when they are joined."""
    return _PIECE.findall(text)


def _events(record: ResponseFacts) -> Iterator[Event]:
    first = "queued" if record.request["background"] else "in_progress"
    yield {"type": "response.created", "response": opening_view(record, first)}
    if record.job.started_at is not None:
        yield {"type": "response.in_progress", "response": opening_view(record, "in_progress")}
    if record.job.status not in FINAL:
        return
    for index, item in enumerate(output_items(record)):
        yield from _reasoning(item, index) if item["type"] == "reasoning" else _message(item, index)
    yield {"type": _ENDS.get(record.job.status, "response.incomplete"), "response": response_view(record)}


def _reasoning(item: Item, index: int) -> Iterator[Event]:
    at = {"item_id": item["id"], "output_index": index}
    begun = item | {"summary": [], "status": "in_progress"}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    for number, part in enumerate(item["summary"]):
        where = at | {"summary_index": number}
        yield {"type": "response.reasoning_summary_part.added", **where, "part": part | {"text": ""}}
        for piece in pieces(part["text"]):
            yield {"type": "response.reasoning_summary_text.delta", **where, "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", **where, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **where, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _message(item: Item, index: int) -> Iterator[Event]:
    at = {"item_id": item["id"], "output_index": index, "content_index": 0}
    (part,) = item["content"]
    begun = item | {"content": [], "status": "in_progress"}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    yield {"type": "response.content_part.added", **at, "part": part | {"text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}
