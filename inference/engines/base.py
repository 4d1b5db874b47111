"""The synchronous core of every engine. Law: one thread drives it, and each added call comes back exactly once.

A call comes back as its result or as a `CallFailure`: a failure is a value here and never a made-up result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from domain.budget import Spend
from domain.errors import EngineError
from domain.ports import Completion, ModelInfo, SampleRequest, ScoreRequest, StepScores

NO_COST = Spend()


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A call that gave nothing, and what it had cost until then."""

    key: str
    message: str
    retryable: bool
    cost: Spend = NO_COST
    ends: tuple[int, ...] = ()
    """As in `domain.ports.Completion`."""

    def error(self) -> EngineError:
        return EngineError(self.message, retryable=self.retryable, cost=self.cost, ends=self.ends)


ABORTED = "the call was aborted"

Request: TypeAlias = SampleRequest | ScoreRequest
Result: TypeAlias = Completion | StepScores | CallFailure
Asked = TypeVar("Asked", SampleRequest, ScoreRequest, contravariant=True)
Given = TypeVar("Given", bound=Completion | StepScores | CallFailure, covariant=True)


class Core(Protocol[Asked, Given]):
    """What `inference.host.EngineHost` drives: a policy engine or a verifier."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def pending(self) -> int:
        """Calls that were added and have not come back."""
        ...

    @property
    def due_s(self) -> float:
        """Seconds until `step` can do something; 0 means now. Hosts wait this long instead of spinning."""
        ...

    def add(self, request: Asked) -> None:
        """Raises EngineError(retryable=False) when the call can never work, e.g. a prompt longer than the context."""
        ...

    def step(self) -> Sequence[Given]:
        """Advance the batch a little; the calls that ended come back."""
        ...

    def abort(self, keys: Iterable[str]) -> None:
        """Stop these calls: the next step frees their slots and gives them back as failures."""
        ...

    def reset(self) -> None:
        """Forget all calls, after `step` raised, and what earlier ones left behind; none of them will come back."""
        ...


Engine: TypeAlias = Core[SampleRequest, Completion | CallFailure]
"""A policy."""

Scorer: TypeAlias = Core[ScoreRequest, StepScores | CallFailure]
"""A verifier."""
