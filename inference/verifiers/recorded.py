"""A verifier that answers from recorded step scores: `recorded:FILE`, the file that the policy answers from.

Law: a solution that was not scored gives a failure, never a number. The scores are as many as were recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domain.budget import Spend
from domain.errors import EngineError
from domain.ports import ModelInfo, ScoreRequest, StepScores
from inference.engines.base import ABORTED, CallFailure
from inference.engines.recorded import CONTEXT_TOKENS, charged_tokens, parse_source
from inference.engines.recording import RecordedSample, Recording, read_recordings

UNSCORED = "this solution has no recorded scores"


def load_recorded_verifier(spec: str) -> RecordedVerifier:
    """Raises ConfigurationError."""
    source = parse_source(spec)
    return RecordedVerifier(read_recordings(source.path), spec, parameters=source.parameters)


class RecordedVerifier:
    """Implements `inference.engines.base.Scorer`; every call is answered by the next step."""

    def __init__(self, recordings: Iterable[Recording], spec: str, *, parameters: int = 1) -> None:
        self.info = ModelInfo(id=f"{spec}#scores", parameters=parameters, context_tokens=CONTEXT_TOKENS)
        self._scored: dict[tuple[str, str], RecordedSample] = {}
        for recording in recordings:
            for sample in recording.samples:
                if sample.step_scores:
                    self._scored.setdefault((recording.question, sample.text), sample)
        self._calls: dict[str, RecordedSample] = {}
        self._aborted: list[str] = []

    @property
    def pending(self) -> int:
        return len(self._calls)

    @property
    def due_s(self) -> float:
        return 0.0

    def add(self, request: ScoreRequest) -> None:
        sample = self._scored.get((request.problem, request.solution))
        if sample is None:
            raise EngineError(UNSCORED, retryable=False)
        self._calls[request.key] = sample

    def abort(self, keys: Iterable[str]) -> None:
        self._aborted += [key for key in keys if key in self._calls]

    def reset(self) -> None:
        self._calls.clear()
        self._aborted.clear()

    def step(self) -> Sequence[StepScores | CallFailure]:
        aborted = [CallFailure(key, ABORTED, retryable=False) for key in self._aborted if self._calls.pop(key, None)]
        self._aborted.clear()
        calls, self._calls = self._calls, {}
        return [*aborted, *(StepScores(key, sample.step_scores, self._cost(sample)) for key, sample in calls.items())]

    def _cost(self, sample: RecordedSample) -> Spend:
        """A verifier reads the solution once."""
        tokens = charged_tokens(sample)
        return Spend(verified_tokens=tokens, flops=2.0 * self.info.parameters * tokens, verifier_calls=1)
