"""A verifier that answers from recorded step scores: `recorded:FILE`, the file that the policy answers from.

Law: a solution that was not scored gives a failure, never a number. The scores are as many as were recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domain.budget import Spend
from domain.errors import EngineError
from domain.ports import ModelInfo, ScoreRequest, StepScores
from inference.engines.base import CallFailure
from inference.engines.recorded import CONTEXT_TOKENS, charged_tokens, parse_source
from inference.engines.recorded_calls import RecordedCalls
from inference.engines.recording import RecordedSample, Recording, read_recordings

UNSCORED = "this solution has no recorded scores"


def load_recorded_verifier(spec: str) -> RecordedVerifier:
    """Raises ConfigurationError."""
    source = parse_source(spec)
    return RecordedVerifier(read_recordings(source.path), spec, parameters=source.parameters)


class RecordedVerifier(RecordedCalls[RecordedSample]):
    """Implements `inference.engines.base.Scorer`; every call is answered by the next step."""

    def __init__(self, recordings: Iterable[Recording], spec: str, *, parameters: int = 1) -> None:
        super().__init__()
        self.info = ModelInfo(id=f"{spec}#scores", parameters=parameters, context_tokens=CONTEXT_TOKENS)
        self._scored: dict[tuple[str, str], RecordedSample] = {}
        for recording in recordings:
            for sample in recording.samples:
                if sample.step_scores:
                    self._scored.setdefault((recording.question, sample.text), sample)

    def add(self, request: ScoreRequest) -> None:
        sample = self._scored.get((request.problem, request.solution))
        if sample is None:
            raise EngineError(UNSCORED, retryable=False)
        self._calls[request.key] = sample

    def step(self) -> Sequence[StepScores | CallFailure]:
        aborted, calls = self._taken()
        return [*aborted, *(StepScores(key, sample.step_scores, self._cost(sample)) for key, sample in calls.items())]

    def _cost(self, sample: RecordedSample) -> Spend:
        """A verifier reads the solution once."""
        tokens = charged_tokens(sample)
        return Spend(verified_tokens=tokens, flops=2.0 * self.info.parameters * tokens, verifier_calls=1)
