"""The reviser's chain: each attempt is shown the latest up to four before it (arXiv 2408.03314, section 6).

Law: the chains of all problems run at once and each is sequential; what is shown is what a search shows
(`search.growth.attempts_to`): the latest different finished attempts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.errors import EngineError
from domain.ids import derive_seed
from domain.moves import FinishReason
from domain.ports import Completion, SampleRequest
from evaluation.quality.drive import drained
from evaluation.report import Ticker
from inference.prompts import MAX_ATTEMPTS


@dataclass
class Chain:
    problem: str
    seed: int
    attempts: list[Completion]
    """Begins with one plain sample."""
    shortened: int = 0

    @property
    def shown(self) -> tuple[str, ...]:
        finished = [one.text for one in self.attempts if one.finish is FinishReason.END and one.answer is not None]
        return tuple(reversed(list(dict.fromkeys(reversed(finished)))[:MAX_ATTEMPTS]))


@dataclass(frozen=True)
class Reviser:
    engine: Any
    revisions: int
    max_tokens: int
    temperature: float
    _open: dict[str, Chain] = field(default_factory=dict)

    def run(self, chains: Sequence[Chain], name: str) -> None:
        """Extends every chain by `revisions` attempts. Raises EngineError."""
        if not self.revisions:
            return
        for at, chain in enumerate(chains):
            self._ask(str(at), chain)
        for result in drained(self.engine, Ticker(name, len(chains) * self.revisions)):
            if isinstance(result, Completion):
                chain = self._open.pop(result.key)
                chain.attempts.append(result)
                if len(chain.attempts) <= self.revisions:
                    self._ask(result.key, chain)

    def _ask(self, key: str, chain: Chain) -> None:
        """One more attempt; where the context is too short for all that should be shown, the oldest are left out."""
        shown = chain.shown
        while True:
            try:
                self.engine.add(self._request(key, chain, shown))
            except EngineError:
                if not shown:
                    raise
                shown = shown[1:]
            else:
                break
        chain.shortened += len(shown) < len(chain.shown)
        self._open[key] = chain

    def _request(self, key: str, chain: Chain, shown: tuple[str, ...]) -> SampleRequest:
        seed = derive_seed(chain.seed, len(chain.attempts))
        return SampleRequest(
            key, chain.problem, "", seed, self.max_tokens, temperature=self.temperature, attempts=shown
        )
