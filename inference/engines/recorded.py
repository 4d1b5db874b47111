"""A policy that answers from recorded solutions: `recorded:FILE`, `recorded:FILE?seed=3&parameters=8e9`.

Law: solutions of a problem are drawn without replacement, in an order that the seed fixes (without one: as recorded);
the same call gives the same solution; and when all are drawn, a further call fails and nothing is repeated.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from domain.budget import Spend
from domain.errors import ConfigurationError, EngineError
from domain.ids import derive_seed
from domain.moves import FinishReason
from domain.ports import Completion, ModelInfo, SampleRequest
from inference.engines.base import CallFailure
from inference.engines.recorded_calls import RecordedCalls
from inference.engines.recording import RecordedSample, Recording, read_recordings

PREFIX = "recorded:"
CONTEXT_TOKENS = 1 << 24
EXHAUSTED = "all recorded solutions of this problem are used: record more, or ask for fewer"
WHOLE_ONLY = (
    "a record of whole solutions can't answer step expansions or revisions: choose a strategy that samples whole"
)
UNKNOWN = "this problem is not in the record"


@dataclass(frozen=True, slots=True)
class Source:
    """What a spec says."""

    path: Path
    seed: int | None = None
    parameters: int = 1
    """Of the model that was recorded, by which FLOPs are charged."""


def parse_source(spec: str) -> Source:
    """Raises ConfigurationError naming the option."""
    file, _, query = spec.removeprefix(PREFIX).partition("?")
    values: dict[str, int] = {}
    for name, raw in parse_qsl(query, keep_blank_values=True):
        if name not in ("seed", "parameters"):
            raise ConfigurationError(f"recorded model: unknown option {name!r}: use seed or parameters")
        try:
            values[name] = int(float(raw)) if name == "parameters" else int(raw)
        except (ValueError, OverflowError):
            raise ConfigurationError(f"recorded model: option {name!r} needs a number") from None
    return Source(Path(file), values.get("seed"), max(1, values.get("parameters", 1)))


def load_recorded(spec: str) -> RecordedEngine:
    """Raises ConfigurationError."""
    source = parse_source(spec)
    recordings = read_recordings(source.path)
    return RecordedEngine(recordings, spec, seed=source.seed, parameters=source.parameters)


@dataclass
class Deck:
    """The solutions of one problem, in the order of drawing, and who drew which."""

    samples: list[RecordedSample]
    drawn: dict[int, RecordedSample] = field(default_factory=dict)
    """By the seed of the call, which is different for each node of each search: a call that is repeated, repeats."""

    def draw(self, seed: int) -> RecordedSample | None:
        """None when all are drawn."""
        if seed not in self.drawn:
            if len(self.drawn) == len(self.samples):
                return None
            self.drawn[seed] = self.samples[len(self.drawn)]
        return self.drawn[seed]


def deck_of(samples: Sequence[RecordedSample], seed: int | None, question: str) -> Deck:
    order = list(samples)
    if seed is not None:
        random.Random(derive_seed(seed, "deck", question)).shuffle(order)
    return Deck(order)


class RecordedEngine(RecordedCalls[SampleRequest]):
    """Implements `inference.engines.base.Engine`; every call is answered by the next step."""

    def __init__(
        self, recordings: Iterable[Recording], spec: str, *, seed: int | None = None, parameters: int = 1
    ) -> None:
        super().__init__()
        self.info = ModelInfo(id=spec, parameters=parameters, context_tokens=CONTEXT_TOKENS)
        by_question: dict[str, list[RecordedSample]] = {}
        for recording in recordings:
            by_question.setdefault(recording.question, []).extend(recording.samples)
        self.decks = {question: deck_of(samples, seed, question) for question, samples in by_question.items()}

    def add(self, request: SampleRequest) -> None:
        if request.prefix or request.stop or request.attempts:
            raise EngineError(WHOLE_ONLY, retryable=False)
        if request.problem not in self.decks:
            raise EngineError(UNKNOWN, retryable=False)
        if request.key in self._calls:
            raise EngineError("a call with this key is already running", retryable=False)
        self._calls[request.key] = request

    def step(self) -> Sequence[Completion | CallFailure]:
        aborted, calls = self._taken()
        return [*aborted, *map(self._answer, calls.values())]

    def _answer(self, request: SampleRequest) -> Completion | CallFailure:
        sample = self.decks[request.problem].draw(request.seed)
        if sample is None:
            return CallFailure(request.key, EXHAUSTED, retryable=False)
        return self._completion(request, sample)

    def _completion(self, request: SampleRequest, sample: RecordedSample) -> Completion:
        """A limit below the recorded length cuts the solution, as it would have cut the model."""
        tokens = charged_tokens(sample)
        if tokens <= request.max_tokens:
            finish, text, answer = sample.finish, sample.text, sample.answer
        else:
            finish, text, answer = (
                FinishReason.LENGTH,
                sample.text[: len(sample.text) * request.max_tokens // tokens],
                None,
            )
            tokens = request.max_tokens
        cost = Spend(generated_tokens=tokens, flops=2.0 * self.info.parameters * tokens, rollouts=1)
        return Completion(request.key, text, finish, answer if finish is FinishReason.END else None, None, cost)


def charged_tokens(sample: RecordedSample) -> int:
    """What was recorded; where it was not, nothing is charged (and whoever reports a mean says so)."""
    return sample.tokens or 0
