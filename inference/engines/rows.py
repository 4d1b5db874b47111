"""One call in the batch: what it has drawn so far, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.budget import Spend
from domain.moves import FinishReason
from domain.ports import SampleRequest
from inference.engines.base import NO_COST
from inference.engines.texts import Pieces, TextReader

CONTEXT_TOKENS = 8
"""Prompt tokens that decoding sees before the new text."""


@dataclass(slots=True, eq=False)
class Row:
    request: SampleRequest
    prompt: tuple[int, ...]
    limit: int
    """Most tokens that this call may draw."""
    reader: TextReader
    ids: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finish: FinishReason | None = None
    text: str = ""
    """The finished text; set with `finish`."""
    aborted: bool = False
    ends: tuple[int, ...] = ()
    """Of the prompt, as in `inference.prompts.Prompt`."""

    @property
    def live(self) -> bool:
        return self.finish is None and not self.aborted

    @property
    def length(self) -> int:
        """Tokens whose keys are in the cache: the last one drawn has not been read yet."""
        return len(self.prompt) + len(self.ids) - 1

    @property
    def final_length(self) -> int:
        return len(self.prompt) + self.limit

    @property
    def sampler(self) -> tuple[int, int, float, float]:
        request = self.request
        return request.seed, len(self.ids), request.temperature, request.top_p

    def take(self, token: int, logprob: float, eos: frozenset[int]) -> None:
        """Append a drawn token and see whether the call ends with it."""
        self.ids.append(token)
        self.logprob += logprob
        if token in eos:
            self._end(FinishReason.END, self.reader.text(self.ids[:-1]))
            return
        cut = self.reader.cut_at_stop(self.ids) if self.request.stop else None
        if cut is not None:
            self._end(FinishReason.STOP, cut)
        elif len(self.ids) >= self.limit:
            # A character that was cut in the middle of its bytes is not text.
            self._end(FinishReason.LENGTH, self.reader.text(self.ids).rstrip("\ufffd"))

    def _end(self, finish: FinishReason, text: str) -> None:
        self.finish, self.text = finish, text

    def cost(self, parameters: int) -> Spend:
        if not self.ids:
            return NO_COST  # it never reached the model
        prompt, drawn = len(self.prompt), len(self.ids)
        return Spend(
            prompt_tokens=prompt, generated_tokens=drawn, flops=2.0 * parameters * (prompt + drawn), rollouts=1
        )


def new_row(
    pieces: Pieces, request: SampleRequest, prompt: tuple[int, ...], limit: int, ends: tuple[int, ...] = ()
) -> Row:
    return Row(request, prompt, limit, TextReader(pieces, prompt[-CONTEXT_TOKENS:], request.stop), ends=ends)
