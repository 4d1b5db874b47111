"""A thread that drives one engine or verifier for many callers. Used by the Ray actors and in-process.

Law: every submitted call comes back exactly once to each of its callers, as a result or as a `CallFailure`, whatever
the engine does; an idle host sleeps.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from domain.errors import EngineError
from domain.ports import ModelInfo
from inference.engines.base import ABORTED, CallFailure, Core, Request, Result

logger = logging.getLogger(__name__)

OnDone: TypeAlias = Callable[[Sequence[Result]], None]
"""Called on the host's thread with all results that a step gave to this caller: hand them over and return."""


class EngineHost:
    """Owns `engine`: after this only the host's thread touches it."""

    def __init__(self, engine: Core[Any, Any], name: str = "engine") -> None:
        self._engine = engine
        self._info = engine.info
        self._wake = threading.Condition()
        self._inbox: deque[Request] = deque()
        self._aborts: list[str] = []
        self._callers: dict[str, list[OnDone]] = {}
        self._closing = False
        self._busy_s = 0.0
        self._finished = 0
        self._thread = threading.Thread(target=self._run, name=f"{name}-host", daemon=True)
        self._thread.start()

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def pending(self) -> int:
        """Calls that have not come back."""
        return len(self._callers)

    @property
    def finished(self) -> int:
        """Calls that came back since the start."""
        return self._finished

    @property
    def busy_s(self) -> float:
        """Seconds spent in the engine since the start."""
        return self._busy_s

    def submit(self, requests: Iterable[Request], on_done: OnDone) -> None:
        """Queue calls. A key that is already running joins that run: both callers get its result."""
        with self._wake:
            if self._closing:
                raise EngineError("the engine is closed")
            for request in requests:
                callers = self._callers.get(request.key)
                if callers is None:
                    self._callers[request.key] = [on_done]
                    self._inbox.append(request)
                elif on_done not in callers:
                    callers.append(on_done)
            self._wake.notify()

    def abort(self, keys: Iterable[str], on_done: OnDone | None = None) -> None:
        """Stop calls; they come back as failures. With `on_done`: for this caller; others keep waiting for theirs."""
        given_up = []
        with self._wake:
            for key in keys:
                callers = self._callers.get(key)
                if callers is None or (on_done is not None and on_done not in callers):
                    continue
                if on_done is not None and len(callers) > 1:
                    callers.remove(on_done)
                    given_up.append(CallFailure(key, ABORTED, retryable=False))
                else:
                    self._aborts.append(key)
            self._wake.notify()
        if given_up and on_done is not None:
            _hand_over(on_done, given_up)

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop the thread; calls that have not ended come back as failures. Safe to call twice."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout_s)

    # ------------------------------------------------------------------------------------------- the thread

    def _run(self) -> None:
        while self._wait():
            started = time.monotonic()
            self._finish(self._turn())
            self._busy_s += time.monotonic() - started
        self._finish([CallFailure(key, "the engine was closed", retryable=True) for key in list(self._callers)])

    def _wait(self) -> bool:
        """Sleep until there is something to do; False when the host closes."""
        with self._wake:
            while not self._closing and not self._inbox and not self._aborts:
                wait_s = self._engine.due_s if self._engine.pending else None
                if wait_s == 0:
                    return True
                self._wake.wait(wait_s)
                if wait_s is not None:
                    return not self._closing
            return not self._closing

    def _turn(self) -> list[Result]:
        """Hand new calls and aborts to the engine and advance it once."""
        with self._wake:
            requests, self._inbox = self._inbox, deque()
            aborts, self._aborts = self._aborts, []
        results: list[Result] = [failure for request in requests if (failure := self._add(request)) is not None]
        try:
            if aborts:
                self._engine.abort(aborts)
            if self._engine.pending and self._engine.due_s == 0:
                results += self._engine.step()
        except Exception as error:
            results += self._broken(error, {result.key for result in results})
        return results

    def _add(self, request: Request) -> CallFailure | None:
        try:
            self._engine.add(request)
        except EngineError as error:
            return CallFailure(request.key, error.message, error.retryable)
        except Exception as error:
            _log_defect(f"a call could not be added to {self._info.id}", error)
            return CallFailure(request.key, f"the engine failed: {type(error).__name__}", retryable=True)
        return None

    def _broken(self, error: Exception, back: set[str]) -> list[CallFailure]:
        """After a failed step nothing in the engine can be trusted: its calls come back as failures."""
        _log_defect(f"{self._info.id} failed and is reset", error)
        self._engine.reset()
        with self._wake:
            waiting = {request.key for request in self._inbox}
            lost = [key for key in self._callers if key not in waiting and key not in back]
        return [CallFailure(key, f"the engine failed: {type(error).__name__}", retryable=True) for key in lost]

    def _finish(self, results: Sequence[Result]) -> None:
        by_caller: dict[OnDone, list[Result]] = {}
        with self._wake:
            for result in results:
                for on_done in self._callers.pop(result.key, ()):
                    by_caller.setdefault(on_done, []).append(result)
            self._finished += len(results)
        for on_done, own in by_caller.items():
            _hand_over(on_done, own)


def _hand_over(on_done: OnDone, results: Sequence[Result]) -> None:
    try:
        on_done(results)
    except Exception as error:
        # A caller that went away (such as a closed event loop) must not take the others' engine with it.
        _log_defect("a caller could not take its results", error)


def _log_defect(what: str, error: Exception) -> None:
    """Type and place only: the text of an error may hold a prompt."""
    place = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: %s\n%s", what, type(error).__name__, place)
