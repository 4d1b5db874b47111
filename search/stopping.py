"""When to stop, as values: the shell asks here and acts elsewhere."""

from __future__ import annotations

from domain.verdict import StopReason, Verdict


def early_stop(verdict: Verdict, target: float | None) -> StopReason | None:
    """A reason to stop while there would be more to ask."""
    if target is not None and verdict.answer is not None and verdict.confidence >= target:
        return StopReason.CONFIDENCE
    return None


def final_reason(verdict: Verdict, target: float | None, *, settled: int, failed: int) -> StopReason:
    """Why a search whose strategy has nothing more to ask has ended. `failed` of the `settled` moves failed."""
    if verdict.answer is None:
        return StopReason.ENGINE_FAILED if settled == failed else StopReason.NO_ANSWER
    if target is not None and verdict.confidence < target:
        return StopReason.BELOW_CONFIDENCE
    return StopReason.COMPLETE
