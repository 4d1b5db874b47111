"""A job's trace as a person follows it: nodes added, sampled, scored and pruned, the verdict so far, the stop.

Law: the messages of an event depend on the trace up to it and on nothing else, so that every stream of a job says the
same under the same ids, whenever it begins. What the trace does not say by itself (what was pruned, the verdict so far)
comes from folding it as the orchestrator does; a trace that this code can't fold any more does without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from api.views import moment
from domain.codec import encode
from domain.events import Event, JobClaimed, JobReleased, JobStopped, JobSubmitted, MoveSettled, MovesIssued
from domain.moves import Failed, Sampled, Scored
from domain.verdict import Verdict
from search.pruning import pruned
from search.replay import Search, begin, step
from storage.traces import StoredEvent

LOOK_SHARE = 64
"""The verdict is looked at after each outcome at first, later after each 1/64 more: it reads all solutions."""

Position: TypeAlias = tuple[int, int]
"""An event's number and the place of a message among those of the event."""
Body: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    at: Position
    data: bytes
    """One server-sent event, with its id (`7.2`: the third of event 7) and its type."""


class Teller:
    """Takes the events of one job in order, from its first."""

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self._search: Search | None = None
        self._nodes: dict[str, int] = {}
        """Move to node."""
        self._pruned: frozenset[int] = frozenset()
        self._settled = self._look_at = 0
        self._said: tuple[object, ...] = ()
        self.ended = False

    def tell(self, stored: StoredEvent) -> list[Message]:
        """The messages of the next event."""
        self._fold(stored.event)
        common = {"job_id": self._job_id, "seq": stored.seq, "at": moment(stored.at)}
        return [
            Message((stored.seq, place), _wire(f"{stored.seq}.{place}", kind, common | body))
            for place, (kind, body) in enumerate(self._messages(stored.event))
        ]

    def _messages(self, event: Event) -> Iterator[tuple[str, Body]]:
        match event:
            case JobSubmitted():
                yield "job.queued", {"strategy": encode(event.strategy), "budget": encode(event.budget)}
            case JobClaimed():
                yield "job.started", {"policy": event.policy, "verifier": event.verifier, "resumed": event.fence > 1}
            case MovesIssued():
                yield from self._issued(event)
            case MoveSettled():
                yield from self._outcome(event.outcome)
            case JobReleased():
                yield "job.released", {}
            case JobStopped():
                self.ended = True
                yield "job.stopped", _stopped(event)

    def _issued(self, event: MovesIssued) -> Iterator[tuple[str, Body]]:
        given_up = frozenset() if self._search is None else pruned(self._search.state)
        for node in sorted(given_up - self._pruned):
            yield "node.pruned", {"node": node}
        self._pruned |= given_up
        for move in event.moves:
            self._nodes[move.id] = move.node
            if move.kind == "sample":
                yield "node.added", {"node": move.node, "parent": move.parent}

    def _outcome(self, outcome: Sampled | Scored | Failed) -> Iterator[tuple[str, Body]]:
        node = {"node": self._nodes.pop(outcome.move_id, None)}
        match outcome:
            case Sampled():
                answer = None if outcome.answer is None else outcome.answer.text
                tokens = outcome.cost.generated_tokens
                finish = outcome.finish.value
                yield (
                    "node.sampled",
                    node | {"text": outcome.text, "finish": finish, "answer": answer, "tokens": tokens},
                )
            case Scored():
                yield "node.scored", node | {"scores": list(outcome.scores)}
            case Failed():
                yield "node.failed", node | {"kind": outcome.kind.value, "message": outcome.message}
        self._settled += 1
        if self._search is not None and self._settled >= self._look_at:
            self._look_at = self._settled + 1 + self._settled // LOOK_SHARE
            verdict = self._search.verdict()
            if verdict.answer is not None and (said := _gist(verdict)) != self._said:
                self._said = said
                yield "verdict", _verdict(verdict)

    def _fold(self, event: Event) -> None:
        try:
            if isinstance(event, JobSubmitted):
                self._search = begin(event)
            elif self._search is not None:
                self._search = step(self._search, event)
        except Exception:
            # Whatever an old trace does to newer code, its reader still gets what it says by itself.
            self._search = None


def _gist(verdict: Verdict) -> tuple[object, ...]:
    return verdict.answer, round(verdict.confidence, 4), len(verdict.candidates)


def _verdict(verdict: Verdict) -> Body:
    return {
        "answer": verdict.answer,
        "confidence": verdict.confidence,
        "confidence_kind": verdict.confidence_kind.value,
        "candidates": encode(verdict.candidates),
    }


def _stopped(event: JobStopped) -> Body:
    return {
        "status": event.status.value,
        "stop_reason": event.reason.value,
        **_verdict(event.verdict),
        "why": event.verdict.why,
        "usage": {name: value for name, value in encode(event.spend).items() if name != "prompt_tokens"},
        "message": event.message,
    }


def _wire(id: str, kind: str, body: Body) -> bytes:
    # ASCII, since a model may write what UTF-8 has no bytes for, and no line separator may stand in the data.
    text = json.dumps({"type": kind, **body}, allow_nan=False, separators=(",", ":"))
    return f"id: {id}\nevent: {kind}\ndata: {text}\n\n".encode("ascii")
