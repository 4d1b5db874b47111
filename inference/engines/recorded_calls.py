"""The calls of an engine that has all answers at hand: what is added is answered by the next step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from inference.engines.base import ABORTED, CallFailure

Call = TypeVar("Call")


class RecordedCalls(Generic[Call]):
    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        self._aborted: list[str] = []

    @property
    def pending(self) -> int:
        return len(self._calls)

    @property
    def due_s(self) -> float:
        return 0.0

    def abort(self, keys: Iterable[str]) -> None:
        self._aborted += [key for key in keys if key in self._calls]

    def reset(self) -> None:
        self._calls.clear()
        self._aborted.clear()

    def _taken(self) -> tuple[list[CallFailure], dict[str, Call]]:
        """What was aborted, and the calls to answer now."""
        aborted = [CallFailure(key, ABORTED, retryable=False) for key in self._aborted if self._calls.pop(key, None)]
        self._aborted.clear()
        calls, self._calls = self._calls, {}
        return aborted, calls
