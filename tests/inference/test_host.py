"""The host's law: every call comes back once, whatever the engine does; an idle host sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence

import pytest

from domain.budget import Spend
from domain.errors import EngineError
from domain.moves import FinishReason
from domain.ports import Completion, ModelInfo, SampleRequest
from inference.engines.base import CallFailure, Result
from inference.engines.script import parse_script
from inference.engines.scripted import ScriptedEngine
from inference.host import EngineHost


class Inbox:
    def __init__(self) -> None:
        self.results: list[Result] = []
        self._changed = threading.Condition()

    def take(self, results: Sequence[Result]) -> None:
        with self._changed:
            self.results += results
            self._changed.notify_all()

    def wait(self, count: int, timeout_s: float = 5.0) -> list[Result]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.results) >= count, timeout_s), self.results
            return list(self.results)


class FragileEngine:
    """Breaks in `step` while it holds a call named `poison`; calls named `slow` never end."""

    info = ModelInfo("fragile", 1, 100)
    due_s = 0.0

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.steps = 0

    @property
    def pending(self) -> int:
        return len(self.calls)

    def add(self, request: SampleRequest) -> None:
        if request.key == "refused":
            raise EngineError("too long", retryable=False)
        self.calls.append(request.key)

    def step(self) -> list[Result]:
        self.steps += 1
        if "poison" in self.calls:
            raise RuntimeError("broken")
        done = [key for key in self.calls if not key.startswith("slow")]
        self.calls = [key for key in self.calls if key.startswith("slow")]
        return [Completion(key, "", FinishReason.END, None, None, Spend()) for key in done]

    def abort(self, keys: Iterable[str]) -> None:
        self.calls = [key for key in self.calls if key not in set(keys)]

    def reset(self) -> None:
        self.calls = []


def call(key: str) -> SampleRequest:
    return SampleRequest(key, "2 + 2", "", seed=1, max_tokens=100)


def scripted(options: str = "") -> EngineHost:
    return EngineHost(ScriptedEngine(parse_script(f"scripted:{options}"), "scripted"))


@pytest.fixture
def fragile() -> Iterator[EngineHost]:
    host = EngineHost(FragileEngine())
    yield host
    host.close()


def test_every_call_comes_back_once_to_its_caller() -> None:
    host, first, second = scripted("delay_ms=1"), Inbox(), Inbox()
    host.submit([call(f"a{i}") for i in range(50)], first.take)
    host.submit([call(f"b{i}") for i in range(50)], second.take)
    assert sorted(result.key for result in first.wait(50)) == sorted(f"a{i}" for i in range(50))
    assert len(second.wait(50)) == 50
    assert (host.pending, host.finished) == (0, 100)
    host.close()


def test_the_same_key_runs_once_for_two_callers() -> None:
    host, first, second = scripted("delay_ms=50"), Inbox(), Inbox()
    host.submit([call("same")], first.take)
    host.submit([call("same")], second.take)
    assert first.wait(1) == second.wait(1)
    assert host.finished == 1
    host.close()


def test_a_failing_step_fails_its_calls_and_the_host_goes_on(fragile: EngineHost) -> None:
    inbox = Inbox()
    fragile.submit([call("poison"), call("neighbour")], inbox.take)
    failures = inbox.wait(2)
    assert {result.key for result in failures} == {"poison", "neighbour"}
    assert all(isinstance(result, CallFailure) and result.retryable for result in failures)
    fragile.submit([call("later")], inbox.take)
    assert isinstance(inbox.wait(3)[2], Completion)


def test_a_refused_call_fails_alone(fragile: EngineHost) -> None:
    inbox = Inbox()
    fragile.submit([call("refused"), call("good")], inbox.take)
    by_key = {result.key: result for result in inbox.wait(2)}
    assert by_key["refused"] == CallFailure("refused", "too long", retryable=False)
    assert isinstance(by_key["good"], Completion)


def test_a_caller_that_raises_does_not_harm_the_others() -> None:
    host, inbox = scripted(), Inbox()

    def gone(results: Sequence[Result]) -> None:
        raise RuntimeError("Event loop is closed")

    host.submit([call("lost")], gone)
    host.submit([call("kept")], inbox.take)
    inbox.wait(1)
    host.close()


def test_abort_brings_the_call_back_as_a_failure_at_once() -> None:
    host, inbox = scripted("hang_after=0"), Inbox()
    host.submit([call("hung")], inbox.take)
    started = time.monotonic()
    host.abort(["hung", "unknown"])
    (failure,) = inbox.wait(1)
    assert isinstance(failure, CallFailure)
    assert not failure.retryable
    assert time.monotonic() - started < 2
    host.close()


def test_one_callers_abort_leaves_the_other_waiting() -> None:
    host, first, second = scripted("delay_ms=80"), Inbox(), Inbox()
    host.submit([call("same")], first.take)
    host.submit([call("same")], second.take)
    host.abort(["same"], first.take)
    assert isinstance(first.wait(1)[0], CallFailure)
    assert isinstance(second.wait(1)[0], Completion)
    host.close()


def test_close_gives_unfinished_calls_back_as_retryable_failures() -> None:
    host, inbox = scripted("delay_ms=60000"), Inbox()
    host.submit([call("unfinished")], inbox.take)
    host.close()
    assert inbox.wait(1) == [CallFailure("unfinished", "the engine was closed", retryable=True)]
    with pytest.raises(EngineError):
        host.submit([call("late")], inbox.take)


def test_an_idle_or_waiting_host_uses_no_processor_time() -> None:
    host, inbox = scripted("delay_ms=400"), Inbox()
    host.submit([call("slow")], inbox.take)
    before = time.process_time()
    inbox.wait(1)
    assert time.process_time() - before < 0.1
    host.close()
