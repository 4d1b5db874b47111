"""From tokens to text, and stop strings that may span tokens.

Law: the text is exactly what follows the prompt, and no stop string is part of it. Whole texts are decoded only when a
new token may complete a stop string, and at the end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any


class Pieces:
    """A tokenizer's decoder, with the pieces of single tokens kept."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.piece = lru_cache(maxsize=65536)(self._piece)

    def decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _piece(self, token: int) -> str:
        return self.decode([token])


class TextReader:
    """Reads one call's tokens. `context` is the end of its prompt: some decoders treat a first token differently."""

    def __init__(self, pieces: Pieces, context: tuple[int, ...], stop: tuple[str, ...]) -> None:
        self._pieces = pieces
        self._context = list(context)
        self._stop = tuple(text for text in stop if text)
        self._endings = frozenset(text[-1] for text in self._stop)

    def text(self, ids: list[int]) -> str:
        before, whole = self._pieces.decode(self._context), self._pieces.decode(self._context + ids)
        return whole[len(before) :] if whole.startswith(before) else self._pieces.decode(ids)

    def cut_at_stop(self, ids: list[int]) -> str | None:
        """The text before the first stop string, or None when there is none."""
        if not self._stop or not self._may_complete(ids[-1]):
            return None
        text = self.text(ids)
        found = [at for at in map(text.find, self._stop) if at >= 0]
        return text[: min(found)] if found else None

    def _may_complete(self, token: int) -> bool:
        """Whether the token's own piece holds the last character of a stop string (or bytes that could)."""
        piece = self._pieces.piece(token)
        return any(ending in piece for ending in self._endings) or "\ufffd" in piece or " " in self._endings
