"""Who joins the running batch, and when.

Law: calls are admitted in order of arrival, within bounds on rows and tokens; a call too large for the bounds still
runs, alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from inference.engines.rows import Row

_PATIENCE_STEPS = 16
"""Steps that a call may wait while free slots are gathered."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the running batch."""

    rows: int = 64
    tokens: int = 131_072
    """Rows times the longest row's final length: bounds the memory of keys and values."""
    prefill_tokens: int = 8_192
    """Rows times the longest prompt of one prefill."""


class WaitingRoom:
    """Calls that are not in the batch yet. Without `mergeable` nobody joins a batch that runs."""

    def __init__(self, limits: Limits, *, mergeable: bool) -> None:
        self._limits = limits
        self._mergeable = mergeable
        self._waiting: deque[Row] = deque()
        self._steps_waited = 0

    def add(self, row: Row) -> None:
        self._waiting.append(row)

    def clear(self) -> None:
        self._waiting.clear()

    def admit(self, running: Sequence[Row]) -> list[Row]:
        """The newcomers of this step. A few free slots are gathered first, since each merge copies the cache."""
        self._drop_dead_head()
        free = self._limits.rows - len(running)
        if not self._waiting or free < 1 or (running and not self._mergeable):
            return []
        self._steps_waited += 1
        enough = min(len(self._waiting), self._limits.rows // 8)
        if running and free < enough and self._steps_waited < _PATIENCE_STEPS:
            return []
        self._steps_waited = 0
        return self._fitting(free, running)

    def _fitting(self, free: int, running: Sequence[Row]) -> list[Row]:
        chosen: list[Row] = []
        while self._waiting and len(chosen) < free:
            candidates = [*chosen, self._waiting[0]]
            if (running or chosen) and not self._fits(candidates, running):
                break
            chosen.append(self._waiting.popleft())
            self._drop_dead_head()
        return chosen

    def _fits(self, candidates: Sequence[Row], running: Sequence[Row]) -> bool:
        rows = [*running, *candidates]
        prompt = max(len(row.prompt) for row in candidates)
        final = max(row.final_length for row in rows)
        return final * len(rows) <= self._limits.tokens and prompt * len(candidates) <= self._limits.prefill_tokens

    def _drop_dead_head(self) -> None:
        while self._waiting and not self._waiting[0].live:
            self._waiting.popleft()
