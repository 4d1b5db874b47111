"""A search that was run for a test without an engine: its moves, its solutions and its end, as a worker stores them."""

from __future__ import annotations

from collections.abc import Sequence

from domain.budget import NO_COST, Spend
from domain.events import Event, IssuedMove, JobStopped, MoveSettled, MovesIssued
from domain.ids import JobId
from domain.job import JobError
from domain.moves import Answer, FinishReason, Sampled
from domain.ports import Finish, JobWrite
from domain.verdict import Candidate, StopReason, Verdict, status_after

STEPS = "6 · 7 is 42.\n\nThe answer is \\boxed{42}."
OTHER = "6 · 7 is 48.\n\nThe answer is \\boxed{48}."
SOLVED = (("42", STEPS), ("48", OTHER), ("42", STEPS))


def searched(
    job: str,
    solutions: Sequence[tuple[str | None, str]] = SOLVED,
    reason: StopReason = StopReason.COMPLETE,
    fence: int = 1,
) -> JobWrite:
    """All that a worker stores of a search; the first solution wins. Each took 10 tokens to read and 20 to write."""
    issued = tuple(IssuedMove(f"s{at}", "sample", at, 0, at, 64) for at in range(1, len(solutions) + 1))
    outcomes = [_sampled(at, *solution) for at, solution in enumerate(solutions, start=1)]
    settled = [MoveSettled(f"{job}/{outcome.move_id}", outcome) for outcome in outcomes]
    spend = sum((outcome.cost for outcome in outcomes), NO_COST)
    status, verdict = status_after(reason), _verdict(solutions)
    error = JobError(reason.value, "every call failed") if status == "failed" else None
    stopped = JobStopped(status, reason, verdict, spend, error.message if error else None)
    events: tuple[Event, ...] = (MovesIssued(len(issued), issued), *settled, stopped)
    return JobWrite(JobId(job), fence, 1, events, (), spend, Finish(status, reason, verdict, error))


def _sampled(at: int, answer: str | None, text: str) -> Sampled:
    found = None if answer is None else Answer(answer, answer)
    cost = Spend(prompt_tokens=10, generated_tokens=20, flops=6e6, rollouts=1)
    return Sampled(f"s{at}", text, FinishReason.END, found, -1.5, cost)


def _verdict(solutions: Sequence[tuple[str | None, str]]) -> Verdict:
    if not solutions or solutions[0][0] is None:
        return Verdict(None, 0.0, None, "No solution has ended in an answer yet.")
    answer, text = solutions[0]
    assert answer is not None
    return Verdict(answer, 0.75, text, "2 of 3 agree", (Candidate(answer, 2, 0.75),))
