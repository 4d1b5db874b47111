"""What one job has had read and written: of a call's tokens, those that need not be processed again.

Law: a job pays once for each beginning that its calls share, whichever of them came back first; so the total of any set
of calls is that of their trie, in whatever order they are told. It depends on this job's calls alone, never on what an
engine happens to keep, and `told` rebuilds it from a trace. An engine that keeps nothing (its results have no `ends`)
is paid in full.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any, Protocol

from domain.budget import Spend
from domain.moves import STEP_SEPARATOR, FinishReason, Move, Outcome, Sample, Sampled, split_steps, step_ends

CHARGING = "a beginning once"
"""Names the rule, for whoever keeps numbers that depend on it."""

Ends = tuple[int, ...]
"""Of `domain.ports.Completion` or `StepScores`."""


class Asked(Protocol):
    """A `Sample` or a `SampleRequest`."""

    @property
    def prefix(self) -> str: ...
    @property
    def attempts(self) -> tuple[str, ...]: ...
    @property
    def stop(self) -> tuple[str, ...]: ...


class Known:
    """One job's memory. Each call is told once, when it has come back or has failed."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, ...], list[str]] = {}
        """For each prompt (the attempts that it shows): the solutions so far, sorted."""
        self._steps: dict[str, Any] | None = None
        """Steps that the verifier read, as a tree; None: not even the problem."""

    def told(self, move: Move, outcome: Outcome) -> None:
        """A call of the trace, whose cost is settled."""
        if isinstance(move, Sample) and isinstance(outcome, Sampled):
            self.sample(move, outcome.text, outcome.finish, outcome.cost, ())
        else:
            self.failed(move, outcome.cost, ())

    def sample(self, asked: Asked, text: str, finish: FinishReason | None, cost: Spend, ends: Ends) -> Spend:
        """What a policy call costs this job. `cost` is in full; one that never reached the model leaves nothing."""
        if not cost.prompt_tokens:
            return cost
        texts = self._texts.get(asked.attempts)
        cached = 0
        if texts is not None and ends:
            cached = ends[_known_steps(texts, asked.prefix)]
        self._remember(asked, text, finish)
        return cost.with_cached(prompt=min(cached, cost.prompt_tokens))

    def score(self, solution: str, cost: Spend, ends: Ends) -> Spend:
        """What a verifier call costs this job."""
        if not cost.verified_tokens:
            return cost
        known = -1 if self._steps is None else 0
        tree = self._steps = {} if self._steps is None else self._steps
        for at, step in enumerate(split_steps(solution), start=1):
            if known == at - 1 and step in tree:
                known = at
            tree = tree.setdefault(step, {})
        cached = ends[known] if known >= 0 and ends else 0
        return cost.with_cached(verified=min(cached, cost.verified_tokens))

    def failed(self, move: Move, cost: Spend, ends: Ends) -> Spend:
        """What a call costs this job that gave no text."""
        if isinstance(move, Sample):
            return self.sample(move, "", None, cost, ends)
        return self.score(move.solution, cost, ends)

    def _remember(self, asked: Asked, text: str, finish: FinishReason | None) -> None:
        texts = self._texts.setdefault(asked.attempts, [])
        separator = asked.stop == (STEP_SEPARATOR,) and finish is FinishReason.STOP
        whole = asked.prefix + text + (STEP_SEPARATOR if separator else "")
        at = bisect_left(texts, whole)
        if at == len(texts) or texts[at] != whole:
            insort(texts, whole)


def _known_steps(texts: list[str], prefix: str) -> int:
    """Steps of `prefix`, from the first on, that one of the sorted `texts` begins with too."""
    ends = step_ends(prefix)
    return next((count for count in range(len(ends), 0, -1) if _begun(texts, prefix[: ends[count - 1]])), 0)


def _begun(texts: list[str], beginning: str) -> bool:
    at = bisect_left(texts, beginning)
    return at < len(texts) and texts[at].startswith(beginning)
