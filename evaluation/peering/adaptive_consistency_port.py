"""The package AdaptiveConsistency (2305.11860) on our engine: solutions one by one until its Beta rule says stop.

Its rule and nothing else is the package's: it neither samples nor votes. A solution without an answer is no answer.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from domain.errors import EngineError
from domain.moves import FinishReason
from evaluation.peering.task import Answer, Method, Task

THRESHOLD = 0.95


def adaptive_consistency_methods() -> dict[str, Method]:
    """Raises ImportError where the package is missing."""
    from adaptive_consistency import AC, BetaStoppingCriteria  # type: ignore[import-not-found, import-untyped, unused-ignore]

    async def method(task: Task, n: int) -> Answer:
        rule: Any = AC(max_gens=n, stop_criteria=BetaStoppingCriteria(THRESHOLD))
        answers: list[tuple[str, str]] = []
        for number in range(1, n + 1):
            try:
                done = await task.policy.sample(task.request(number))
            except EngineError as error:
                if error.retryable:
                    raise
                break  # a problem that is longer than the context
            if done.finish is FinishReason.END and done.answer is not None:
                answers.append((done.answer.key, done.answer.text))
                if rule.should_stop([key for key, _ in answers]):
                    break
        if not answers:
            return None
        ((winner, _),) = Counter(key for key, _ in answers).most_common(1)
        return next(text for key, text in answers if key == winner)

    return {"AdaptiveConsistency": method}
