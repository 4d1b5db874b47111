"""A deterministic policy for tests and load runs. No torch, no weights; the real text format, delays and failures.

Spec: `scripted:accuracy=0.6,tokens=60,delay_ms=5,fail=0.01,seed=1`. Law: everything that it says and every failure
is a hash of the script's seed and the call, so that a run can be repeated exactly.
"""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from domain.budget import Spend
from domain.errors import EngineError
from domain.moves import STEP_SEPARATOR, FinishReason, split_steps
from domain.ports import Completion, ModelInfo, SampleRequest
from inference.answers.extract import extract_answer
from inference.engines.base import ABORTED, CallFailure
from inference.engines.script import Script, chance
from inference.engines.work import solution_of


class ScriptedClock:
    """The calls of a scripted model: each is due some time after it was added. Shared by policy and verifier."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._calls: dict[str, Any] = {}
        self._due: list[tuple[float, int, str]] = []
        self._order = count()
        self._attempts: dict[str, int] = {}
        self._aborted: list[str] = []
        self._finished = 0

    @property
    def pending(self) -> int:
        return len(self._calls)

    @property
    def due_s(self) -> float:
        if self._aborted:
            return 0.0
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else 0.0 if not self._calls else 3600.0

    def add(self, request: Any) -> None:
        if request.key in self._calls:
            raise EngineError("a call with this key is already running", retryable=False)
        self._calls[request.key] = request
        hangs = self._script.hang_after is not None and self._finished + len(self._calls) > self._script.hang_after
        if not hangs:
            due = time.monotonic() + self._script.delay_ms / 1000
            heapq.heappush(self._due, (due, next(self._order), request.key))

    def abort(self, keys: Iterable[str]) -> None:
        self._aborted += [key for key in keys if key in self._calls]

    def reset(self) -> None:
        self._calls.clear()
        self._due.clear()
        self._aborted.clear()

    def aborted(self) -> list[CallFailure]:
        keys, self._aborted = self._aborted, []
        return [CallFailure(key, ABORTED, retryable=False) for key in keys if self._calls.pop(key, None) is not None]

    def ready(self) -> list[Any]:
        """The requests that are due; waits for the first one if none is."""
        if not self._due:
            return []
        time.sleep(max(0.0, self._due[0][0] - time.monotonic()))
        ready = []
        while self._due and self._due[0][0] <= time.monotonic():
            request = self._calls.pop(heapq.heappop(self._due)[2], None)
            if request is not None:
                ready.append(self._counted(request))
        return ready

    def _counted(self, request: Any) -> Any:
        self._finished += 1
        if self._script.die_after is not None and self._finished > self._script.die_after:
            os._exit(17)  # as a crashed process does: no clean-up
        return request

    def fails(self, key: str) -> bool:
        """Whether this attempt is one of the injected failures; a later attempt of the same call may work."""
        attempt = self._attempts.pop(key, 0) + 1
        failed = chance(self._script.seed, "fail", key, attempt) < self._script.fail
        if failed:
            self._attempts[key] = attempt
        return failed


class ScriptedEngine:
    """Implements `inference.engines.base.Engine`."""

    def __init__(self, script: Script, spec: str) -> None:
        self.info = ModelInfo(id=spec, parameters=script.parameters, context_tokens=script.context)
        self._script = script
        self._clock = ScriptedClock(script)

    @property
    def pending(self) -> int:
        return self._clock.pending

    @property
    def due_s(self) -> float:
        return self._clock.due_s

    def add(self, request: SampleRequest) -> None:
        if _tokens_of(_read(request)) >= self.info.context_tokens:
            raise EngineError(f"the prompt is longer than the context of {self.info.context_tokens}", retryable=False)
        self._clock.add(request)

    def abort(self, keys: Iterable[str]) -> None:
        self._clock.abort(keys)

    def reset(self) -> None:
        self._clock.reset()

    def step(self) -> Sequence[Completion | CallFailure]:
        aborted = self._clock.aborted()
        return aborted or [self._answer(request) for request in self._clock.ready()]

    def _answer(self, request: SampleRequest) -> Completion | CallFailure:
        if self._clock.fails(request.key):
            return CallFailure(request.key, "an injected failure", retryable=True)
        # Greedy decoding knows no seed.
        seed = request.seed if request.temperature > 0 else 0
        steps = solution_of(self._script, request.problem, seed, request.prefix)
        return self._completion(request, steps)

    def _completion(self, request: SampleRequest, steps: tuple[str, ...]) -> Completion:
        done = len(split_steps(request.prefix))
        per_step = max(1, self._script.tokens // (done + len(steps)))
        text, finish = STEP_SEPARATOR.join(steps), FinishReason.END
        tokens = per_step * len(steps)
        cut = min((at for at in map(text.find, request.stop) if at >= 0), default=None)
        if cut is not None:
            text, finish = text[:cut], FinishReason.STOP
            tokens = per_step * max(1, len(split_steps(text)))
        if tokens > request.max_tokens:
            text, finish = text[: len(text) * request.max_tokens // tokens], FinishReason.LENGTH
            tokens = request.max_tokens
        return Completion(
            key=request.key,
            text=text,
            finish=finish,
            answer=extract_answer(request.prefix + text) if finish is FinishReason.END else None,
            logprob=-float(tokens) * (0.1 + 0.1 * chance(self._script.seed, "logprob", request.seed)),
            cost=self._cost(request, tokens),
        )

    def _cost(self, request: SampleRequest, tokens: int) -> Spend:
        prompt = _tokens_of(_read(request))
        flops = 2.0 * self.info.parameters * (prompt + tokens)
        return Spend(prompt_tokens=prompt, generated_tokens=tokens, flops=flops, rollouts=1)


def _read(request: SampleRequest) -> str:
    return "".join([request.problem, *request.attempts, request.prefix])


def _tokens_of(text: str) -> int:
    """About four characters a token, as in real tokenizers."""
    return len(text) // 4 + 1
