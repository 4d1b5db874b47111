"""A job pays once for each beginning that its calls share: for every strategy, in every order, across crashes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from domain.budget import Budget, Spend
from domain.errors import EngineError
from domain.events import Event, JobStopped, JobSubmitted
from domain.ids import JobId
from domain.moves import STEP_SEPARATOR, FinishReason, Sample, Score, split_steps
from domain.ports import Claim, Completion, SampleRequest
from domain.problem import text_problem
from domain.recipe import SPECS, parse_strategy
from orchestrator.engines import Engines
from orchestrator.known import Known
from orchestrator.local import ListRecorder
from orchestrator.run import Run
from tests.support.characters import PARAMETERS, CharacterPolicy, CharacterVerifier, prompt_of

PROBLEM = "What is 3 + 4?"
STEPWISE = ("beam", "lookahead", "dvts", "rebase", "particles")


async def run(events: Sequence[Event], policy: CharacterPolicy, verifier: CharacterVerifier) -> list[Event]:
    recorder = ListRecorder(events=list(events))
    claim = Claim(JobId("j"), len(events), tuple(events), 1.0)
    await Run(claim, "w", Engines(policy, verifier), recorder).run()
    return recorder.events


def submitted(name: str) -> JobSubmitted:
    return JobSubmitted(text_problem(PROBLEM), parse_strategy({"name": name, "n": 6}), Budget(), None, 5)


def spend_of(events: Sequence[Event]) -> Spend:
    stopped = events[-1]
    assert isinstance(stopped, JobStopped)
    return stopped.spend


def policy_trie(policy: CharacterPolicy) -> int:
    """Tokens of prompts and prefixes that no call of the job had read or written, one step at a time."""
    seen, tokens = set(), 0
    for request, text in sorted(policy.calls, key=lambda call: len(call[0].prefix)):
        path = (prompt_of(request),)
        tokens += 0 if path in seen else len(path[0])
        seen.add(path)
        for step in request.prefix.split(STEP_SEPARATOR)[:-1]:
            path = (*path, step)
            tokens += 0 if path in seen else len(step) + len(STEP_SEPARATOR)
            seen.add(path)
        for step in (text + STEP_SEPARATOR if request.stop else text).split(STEP_SEPARATOR)[:-1]:
            path = (*path, step)
            seen.add(path)
    return tokens


def verifier_trie(verifier: CharacterVerifier) -> int:
    paths = {split_steps(call.solution)[:at] for call in verifier.calls for at in range(1, 9)}
    return sum(len(path[-1]) + 1 for path in paths) + (len(PROBLEM) if paths else 0)


@pytest.mark.parametrize("name", [name for name in SPECS if name != "budget_forcing"])
async def test_what_is_charged_is_the_trie_of_the_calls_in_any_order(name: str) -> None:
    totals = set()
    for order in range(3):
        policy, verifier = CharacterPolicy(order), CharacterVerifier(order)
        spend = spend_of(await run([submitted(name)], policy, verifier))
        assert spend.prompt_tokens - spend.cached_prompt_tokens == policy_trie(policy)
        assert spend.verified_tokens - spend.cached_verified_tokens == verifier_trie(verifier)
        assert spend.flops == 2.0 * PARAMETERS * spend.processed_tokens
        assert spend.prompt_tokens == sum(len(prompt_of(one)) + len(one.prefix) for one, _ in policy.calls)
        totals.add(spend)
    if name in STEPWISE:
        assert len(totals) == 1, "rounds do not depend on who came first"
        assert spend.cached_prompt_tokens > spend.prompt_tokens / 2


@pytest.mark.parametrize("name", ["particles", "best_of_n", "revisions"])
async def test_a_crash_anywhere_changes_no_total(name: str) -> None:
    whole = await run([submitted(name)], CharacterPolicy(0), CharacterVerifier(0))
    for cut in range(1, len(whole), 7):
        resumed = await run(whole[:cut], CharacterPolicy(1), CharacterVerifier(1))
        assert spend_of(resumed) == spend_of(whole), cut


@dataclass
class Lossy(CharacterPolicy):
    """Loses every other call after its prompt was read, and some before."""

    lost: int = 0

    async def sample(self, request: SampleRequest) -> Completion:
        done = await super().sample(request)
        self.lost += 1
        if self.lost % 2:
            read = Spend(done.cost.prompt_tokens, 1, 0, 2.0 * PARAMETERS * (done.cost.prompt_tokens + 1), 1)
            raise EngineError("lost", cost=read if self.lost % 4 == 1 else None, ends=done.ends)
        return done


async def test_a_prompt_that_was_lost_is_paid_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.attempts.BACKOFF_S", (0.0,) * 9)
    policy = Lossy(0)
    spend = spend_of(await run([submitted("best_of_n")], policy, CharacterVerifier(0)))
    assert policy.lost > 6
    assert spend.prompt_tokens - spend.cached_prompt_tokens == len(PROBLEM)


def sample(known: Known, prefix: str, text: str, prompt: int, ends: tuple[int, ...]) -> Spend:
    move = Sample("s", 1, 1, 9, prefix=prefix, stop=(STEP_SEPARATOR,))
    return known.sample(move, text, FinishReason.STOP, Spend(prompt, 1, 0, 2.0 * (prompt + 1), 1), ends)


def test_only_whole_steps_are_known() -> None:
    known = Known()
    assert sample(known, "", "one", 10, (10,)).cached_prompt_tokens == 0
    assert sample(known, "one\n\n", "two", 15, (10, 15)).cached_prompt_tokens == 15
    assert sample(known, "one\n\nTWO\n\n", "x", 20, (10, 15, 20)).cached_prompt_tokens == 15
    assert sample(known, "one\n\nTWO\n\nand", "x", 23, (10, 15, 20)).cached_prompt_tokens == 20
    assert sample(known, "on\n\n", "x", 14, (10, 14)).cached_prompt_tokens == 10


def test_an_engine_that_keeps_nothing_is_paid_in_full() -> None:
    known = Known()
    assert all(sample(known, "", text, 10, ()) == Spend(10, 1, 0, 22.0, 1) for text in "ab")
    cost = Spend(verified_tokens=9, flops=18.0, verifier_calls=1)
    assert all(known.score("a\n\nb", cost, ()) == cost for _ in range(2))


def test_a_call_that_never_reached_its_model_teaches_nothing() -> None:
    known = Known()
    move = Sample("s", 1, 1, 9)
    assert known.failed(move, Spend(), (10,)) == Spend()
    assert sample(known, "", "one", 10, (10,)).cached_prompt_tokens == 0
    assert known.failed(Score("v", 1, 1, 0, "a"), Spend(), (3, 5)) == Spend()
    assert known.score("a", Spend(verified_tokens=5, flops=10.0), (3, 5)).cached_verified_tokens == 0
    assert known.score("b", Spend(verified_tokens=5, flops=10.0), (3, 5)).flops == 4.0


def test_memory_is_small_work() -> None:
    """1,000 steps of a tree, in any order."""
    draw, known, nodes = random.Random(1), Known(), [""]
    for _ in range(1000):
        prefix = draw.choice(nodes)
        text = f"step {draw.randrange(9)}"
        ends = tuple(range(5, 6 + prefix.count(STEP_SEPARATOR)))
        assert sample(known, prefix, text, ends[-1], ends).cached_prompt_tokens == (ends[-1] if len(nodes) > 1 else 0)
        nodes.append(prefix + text + STEP_SEPARATOR)
