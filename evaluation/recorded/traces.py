"""Our own traces as recordings: the whole solutions that jobs sampled, with their answers, costs and scores.

Law: only whole solutions count. Steps of a tree and revisions were not drawn independently, and are left out. The gold
answer is the job's metadata `gold`, or comes from a file of problems; without either nothing is graded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError, InvalidRequest, NotFound
from domain.events import Event, MoveSettled, MovesIssued
from domain.ids import TenantId
from domain.moves import ROOT, FinishReason, Sampled, Scored
from evaluation.recorded.readers import merged
from inference.engines.recording import RecordedSample, Recording, rows_of
from storage.database import Database
from storage.jobs import Jobs
from storage.keys import Keys
from storage.records import JobRecord
from storage.traces import Traces

GOLD = "gold"
PAGE = 1000


async def find_recordings(
    database: Database, jobs: Sequence[str], metadata: str | None, golds: Mapping[str, str]
) -> list[Recording]:
    """Of the named jobs, or of all jobs with this `name=value`; jobs on the same problem are one recording.

    Raises NotFound, InvalidRequest, Unavailable.
    """
    tenant = await Keys(database).ensure_tenant()
    records = [await Jobs(database).get(tenant, job) for job in jobs]
    if metadata is not None:
        records += [one for one in await _labelled(database, tenant, metadata) if one.id not in set(jobs)]
    found = merged([await _recording(database, tenant, record, golds) for record in records])
    recordings = [recording for recording in found if recording.samples]
    if not recordings:
        raise NotFound("these jobs sampled no whole solution: name jobs that ended, of a strategy that samples whole")
    return recordings


async def _labelled(database: Database, tenant: TenantId, metadata: str) -> list[JobRecord]:
    name, equals, value = metadata.partition("=")
    if not equals:
        raise InvalidRequest(f"{metadata!r} is no metadata: write --metadata name=value", param="metadata")
    found: list[JobRecord] = []
    after, more = None, True
    while more:
        page, more = await Jobs(database).page(tenant, after=after, limit=100)
        found += [job for job in page if job.metadata.get(name) == value]
        after = page[-1].id if page else None
    return found


async def _recording(database: Database, tenant: TenantId, record: JobRecord, golds: Mapping[str, str]) -> Recording:
    events: list[Event] = []
    more = True
    while more:
        page, more = await Traces(database).page(tenant, record.id, after=len(events) - 1, limit=PAGE)
        events += [stored.event for stored in page]
    text = record.problem.text
    gold = record.metadata.get(GOLD, golds.get(text.strip()))
    return Recording(text[:80], text, gold, tuple(whole_solutions_of(events)))


def whole_solutions_of(events: Iterable[Event]) -> list[RecordedSample]:
    """Solutions that were sampled in one piece, in the order of their nodes."""
    nodes: dict[str, int] = {}
    sampled: dict[int, Sampled] = {}
    scores: dict[int, tuple[float, ...]] = {}
    for event in events:
        if isinstance(event, MovesIssued):
            roots = (move for move in event.moves if move.kind == "score" or move.parent == ROOT)
            nodes |= {move.id: move.node for move in roots}
        elif isinstance(event, MoveSettled) and event.outcome.move_id in nodes:
            node = nodes[event.outcome.move_id]
            if isinstance(event.outcome, Sampled) and event.outcome.finish is not FinishReason.STOP:
                sampled[node] = event.outcome
            elif isinstance(event.outcome, Scored):
                scores[node] = event.outcome.scores
    return [_sample(sampled[node], scores.get(node, ())) for node in sorted(sampled)]


def _sample(outcome: Sampled, scores: tuple[float, ...]) -> RecordedSample:
    tokens = outcome.cost.generated_tokens
    return RecordedSample(outcome.text, outcome.answer, tokens, None, scores, outcome.finish)


def read_golds(path: Path) -> dict[str, str]:
    """Gold answers by the problem's text, from JSONL of {problem or question, answer or gold}."""
    golds: dict[str, str] = {}
    for row, where in rows_of(path):
        problem, gold = row.get("problem", row.get("question")), row.get("answer", row.get("gold"))
        if not isinstance(problem, str) or not isinstance(gold, (str, int, float)):
            raise ConfigurationError(f"{where}: it needs a problem and its answer")
        golds[problem.strip()] = str(gold)
    return golds


def exported(recording: Recording) -> dict[str, Any]:
    """A line of a source file."""
    samples = [_exported(sample) for sample in recording.samples]
    line = {"problem_id": recording.id, "question": recording.question, "gold": recording.gold, "samples": samples}
    return {name: value for name, value in line.items() if value is not None}


def _exported(sample: RecordedSample) -> dict[str, Any]:
    line: dict[str, Any] = {"text": sample.text, "answer": None if sample.answer is None else sample.answer.text}
    optional = {
        "completion_tokens": sample.tokens,
        "correct": sample.correct,
        "prm_step_scores": list(sample.step_scores) or None,
        "finish": "length" if sample.finish is FinishReason.LENGTH else None,
    }
    return line | {name: value for name, value in optional.items() if value is not None}
