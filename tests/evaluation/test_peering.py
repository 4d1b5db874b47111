"""Ours and the peers on one counting engine: who pays what, who asks on after the end, and how they are compared."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from domain.budget import Spend
from domain.errors import EngineError
from domain.moves import Answer, FinishReason
from domain.ports import Completion, ModelInfo, SampleRequest, ScoreRequest, StepScores
from evaluation import peers
from evaluation.peering import methods, runs
from evaluation.peering.comparison import Compared, Point, at_cost, compared, points_of
from evaluation.peering.counting import Bill, CountingPolicy, CountingVerifier, Shared
from evaluation.peering.lockstep import Batch, SteppedPolicy
from evaluation.peering.methods import Sizes, our_methods, peer_methods
from evaluation.peering.ours import ours
from evaluation.peering.runs import Plan, Room, Run, by_point, fingerprint, searched
from evaluation.peering.tables import comparison_table, curve_table, result
from evaluation.peering.task import Limits, Method, Task, task_for
from evaluation.quality.record import ProblemItem
from evaluation.recorded.ports import DirectPolicy, DirectVerifier
from inference.answers.extract import extract_answer
from inference.engines.factory import load_policy
from inference.local import LocalPolicy, LocalVerifier
from inference.verifiers.factory import load_verifier

LIMITS = Limits(temperature=0.8, max_tokens=200, max_steps=6)
SUM = "What is 3 + 4 * 2?"
PEERS, MISSING = peer_methods()


def peer(name: str) -> Method:
    if name not in PEERS:
        pytest.skip(f"{name} is not installed: {', '.join(MISSING.values())}")
    return PEERS[name]


def scripted(problem: str = SUM, seed: int = 5) -> Task:
    policy = DirectPolicy(load_policy("scripted:accuracy=0.5,tokens=40", threads=1))
    verifier = DirectVerifier(load_verifier("scripted:auc=0.9", threads=1))
    return task_for(problem, seed, LIMITS, Shared(policy, verifier))


class Written:
    """A policy whose n-th different call gives the n-th text; one that ends in `~` is a step."""

    info = ModelInfo("written", 10, 1000)

    def __init__(self, *texts: str) -> None:
        self.texts, self.calls = texts, list[SampleRequest]()

    async def sample(self, request: SampleRequest) -> Completion:
        text = self.texts[min(len(self.calls), len(self.texts) - 1)]
        self.calls.append(request)
        step, tokens = text.endswith("~"), len(text)
        last = text.split()[-1]
        answer = None if step else extract_answer(text) or Answer(last, last)
        finish = FinishReason.STOP if step else FinishReason.END
        cost = Spend(prompt_tokens=2, generated_tokens=tokens, flops=20.0 * (2 + tokens), rollouts=1)
        return Completion(request.key, text.rstrip("~"), finish, answer, None, cost)

    def abort(self, keys: Iterable[str]) -> None: ...


class Marks:
    """A verifier that likes long texts."""

    info = ModelInfo("marks", 10, 1000)

    async def score(self, request: ScoreRequest) -> StepScores:
        if not request.solution.strip():
            raise EngineError("there is no step to score", retryable=False)
        score = len(request.solution) / 1000
        return StepScores(request.key, (score,), Spend(verified_tokens=3, flops=60.0, verifier_calls=1))

    def abort(self, keys: Iterable[str]) -> None: ...


def written(*texts: str) -> tuple[Task, Written]:
    policy = Written(*texts)
    return task_for("?", 1, LIMITS, Shared(policy, Marks())), policy


# ------------------------------------------------------------------------------------------------ the engine


async def test_an_equal_call_is_computed_once_and_paid_by_each_that_asks() -> None:
    policy = Written("so 1", "so 2")
    shared, one, other = Shared(policy, Marks()), Bill(), Bill()
    request = SampleRequest("a", "?", "", 7, 9)
    first = await CountingPolicy(shared, one).sample(request)
    second = await CountingPolicy(shared, other).sample(replace(request, key="b"))
    assert (first.text, second.text, first.key, second.key) == ("so 1", "so 1", "a", "b")
    assert len(policy.calls) == 1
    assert one.spend == other.spend == Spend(2, 4, 0, 120.0, 1)
    assert (await CountingPolicy(shared, one).sample(replace(request, seed=8))).text == "so 2"
    shared.forget("?")
    await CountingPolicy(shared, one).sample(request)
    assert len(policy.calls) == 3, "what was forgotten is computed again"


class Keeping(Written):
    """Keeps what it reads: one token is the problem, and one each step of the prefix."""

    async def sample(self, request: SampleRequest) -> Completion:
        done = await super().sample(request)
        ends = tuple(range(1, 2 + request.prefix.count("\n\n")))
        tokens = done.cost.generated_tokens
        cost = Spend(prompt_tokens=ends[-1], generated_tokens=tokens, flops=20.0 * (ends[-1] + tokens), rollouts=1)
        return replace(done, cost=cost, ends=ends)


async def test_what_a_searchs_own_calls_share_is_paid_once() -> None:
    shared, one, other = Shared(Keeping("so~", "and~", "or~"), Marks()), Bill(), Bill()
    request = SampleRequest("a", "?", "", 7, 9, ("\n\n",))
    asked = [request, replace(request, seed=8), replace(request, prefix="so\n\n"), replace(request, prefix="no\n\n")]
    for bill in (one, other):
        for at in asked:
            await CountingPolicy(shared, bill).sample(at)
        # The problem again, then it and a step that was written; of the last call the problem alone was known.
        assert (bill.spend.prompt_tokens, bill.spend.cached_prompt_tokens) == (6, 4)
        assert bill.spend.flops == 20.0 * bill.spend.processed_tokens


async def test_going_on_after_the_end_is_counted_and_going_on_after_a_step_is_not() -> None:
    bill = Bill()
    policy = CountingPolicy(Shared(Written("first~", "second 2", "more 3"), Marks()), bill)
    request = SampleRequest("a", "?", "", 1, 9)
    await policy.sample(request)
    await policy.sample(replace(request, prefix="first\n\n"))
    assert bill.after_end == 0
    await policy.sample(replace(request, prefix="first\n\nfirst\n\n"))
    assert bill.after_end == 0
    await policy.sample(replace(request, prefix="first\n\nsecond 2\n\n"))
    assert (bill.calls, bill.after_end) == (4, 1)


async def test_a_call_that_fails_is_counted_and_raises() -> None:
    bill = Bill()
    with pytest.raises(EngineError):
        await CountingVerifier(Shared(Written("1"), Marks()), bill).score(ScoreRequest("a", "?", " "))
    assert (bill.verifier_calls, bill.failed, bill.spend) == (1, 1, Spend())


async def test_calls_side_by_side_end_by_length_and_an_aborted_one_pays_its_part() -> None:
    bill = Bill()
    shared = Shared(Written("aaaaaaaa 1", "b 2", "cccc 3"), Marks())
    policy = SteppedPolicy(CountingPolicy(shared, bill), Batch())
    ended: list[str] = []

    async def call(seed: int) -> None:
        ended.append((await policy.sample(SampleRequest(str(seed), "?", "", seed, 99))).text)

    running = [asyncio.create_task(call(seed)) for seed in range(3)]
    await asyncio.wait(running[1:])
    assert ended == ["b 2", "cccc 3"]
    running[0].cancel()
    await asyncio.wait(running)
    assert bill.spend.generated_tokens == 3 + 6 + 6, "of the long one as many as there were when it was aborted"
    assert bill.spend.flops == 20.0 * (3 * 2 + 15)


# ------------------------------------------------------------------------------------------------ the methods


@pytest.mark.parametrize("name", our_methods())
async def test_the_bill_of_ours_is_what_the_service_charges(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from evaluation.peering import ours as module

    stops = []

    async def noted(*arguments: object) -> object:
        stopped, events = await solve(*arguments)  # type: ignore[arg-type]
        stops.append(stopped)
        return stopped, events

    solve = module.solve
    monkeypatch.setattr(module, "solve", noted)
    task = scripted()
    assert await ours(name)(task, 4) is not None
    assert stops[0].spend == task.bill.spend
    assert task.bill.calls == task.bill.spend.rollouts > 0
    assert task.bill.after_end == 0


@pytest.mark.parametrize("name", sorted({row.peer for row in methods.ROWS}))
async def test_a_peer_answers_and_repeats_itself(name: str) -> None:
    """Also what the packages draw from global generators has a seed."""
    method = peer(name)
    first, second = scripted(), scripted()
    answers = [await method(first, 8), await method(second, 8)]
    assert answers[0] == answers[1] is not None
    assert (first.bill.spend, first.bill.calls) == (second.bill.spend, second.bill.calls)
    assert first.bill.calls > 0
    assert first.bill.spend.rollouts == first.bill.calls


async def test_votes_of_ours_and_of_a_peer_are_over_the_same_solutions() -> None:
    method = peer("its_hub SelfConsistency")
    texts = [f"so \\boxed{{{value}}}" for value in (1, 2, 2, 3, 2, 1, 4)]
    (mine, _), (theirs, policy) = written(*texts), written(*texts)
    assert await ours("self_consistency")(mine, 7) == await method(theirs, 7) == "2"
    assert mine.bill.spend == theirs.bill.spend
    scripts = [scripted(seed=3), scripted(seed=3)]
    await ours("self_consistency")(scripts[0], 7)
    await method(scripts[1], 7)
    assert scripts[0].bill.spend == scripts[1].bill.spend
    assert len({request.seed for request in policy.calls}) == 7


async def test_a_peer_that_stops_early_aborts_and_pays_less() -> None:
    """Beta fires all at once: the two short ones agree soon enough, the long ones are aborted."""
    method = peer("its_hub BetaSelfConsistency")
    task, _ = written(*["\\boxed{1}"] * 5, *["long " * 40 + "\\boxed{2}"] * 3)
    assert await method(task, 8) == "1"
    assert task.bill.calls == 8
    assert task.bill.spend.generated_tokens == 8 * len("\\boxed{1}"), "nobody got further than those that ended"


async def test_a_peer_goes_on_after_the_end_where_its_stop_string_does_not_come() -> None:
    method = peer("its_hub ParticleFiltering")
    task, _ = written("one step~", "the answer is 4", "and so on")
    await method(task, 1)
    assert task.bill.after_end == LIMITS.max_steps - 1
    ended, _ = written("one step~", "the answer is \\boxed{4}")
    assert await method(ended, 1) == "4"
    assert (ended.bill.calls, ended.bill.after_end) == (2, 0)


async def test_the_peers_best_of_n_takes_the_verifiers_favourite() -> None:
    task, _ = written("\\boxed{1}", "much longer \\boxed{2}", "\\boxed{1}")
    assert await peer("its_hub BestOfN")(task, 3) == "2"
    assert task.bill.verifier_calls == 2, "equal texts are scored once"


async def test_treequest_revises_below_the_root_and_gives_the_best() -> None:
    task, policy = written("a 1", "a longer 2", "short 3")
    assert await peer("treequest StandardMCTS")(task, 6) == "2"
    assert task.bill.calls == 6
    assert any(request.attempts for request in policy.calls)
    assert not policy.calls[0].attempts


async def test_adaptive_consistency_stops_when_its_rule_says_so() -> None:
    task, _ = written("so 1")
    assert await peer("AdaptiveConsistency")(task, 40) == "1"
    assert task.bill.calls == 4, "P(p > 1/2) for Beta(5, 1) is 0.97, for Beta(4, 1) 0.94"


# ------------------------------------------------------------------------------------------------ all of it

ITEMS = [ProblemItem(f"p{at}", f"What is {at} + 4 * {at + 2}?", str(at + 4 * (at + 2)), "sums", 1) for at in range(3)]
SIZES = Sizes((4,), (1, 4))
PLAN = Plan("scripted:accuracy=0.5", "scripted:auc=0.9", LIMITS, SIZES, 1, calibrated=False)


def collected(plan: Plan = PLAN, journal: Path | None = None) -> list[Run]:
    policy = DirectPolicy(load_policy(plan.policy, threads=1))
    verifier = DirectVerifier(load_verifier(plan.verifier, threads=1))
    return asyncio.run(searched(plan, ITEMS, policy, verifier, journal, "test"))


def test_a_run_that_was_cut_short_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    journal = tmp_path / "runs.jsonl"
    whole = collected(journal=journal)
    lines = journal.read_text().splitlines()
    assert len(lines) == len(whole)
    journal.write_text("\n".join(lines[: len(lines) // 2]) + "\n" + lines[-1][:20] + "\n")
    again = collected(journal=journal)
    assert sorted(map(repr, again)) == sorted(map(repr, whole))
    assert len(journal.read_text().splitlines()) == len(whole) + 1
    other = fingerprint(replace(PLAN, limits=replace(LIMITS, temperature=0.5)), "a@1", "b@2")
    assert other != fingerprint(PLAN, "a@1", "b@2") != fingerprint(PLAN, "a@1", "b@3")


def test_a_slower_engine_changes_nothing() -> None:
    """Ours decide while calls are under way: what they know then must not depend on the machine."""
    slow = replace(PLAN, policy="scripted:accuracy=0.5,delay_ms=1", verifier="scripted:auc=0.9,delay_ms=2")

    async def hosted(plan: Plan) -> list[Run]:
        policy, verifier = LocalPolicy.open(plan.policy), LocalVerifier.open(plan.verifier)
        try:
            return await searched(plan, ITEMS[:2], policy, verifier, None, "test")
        finally:
            policy.close()
            verifier.close()

    def known(runs: list[Run]) -> list[Run]:
        return sorted((one for one in runs if one.problem != "p2"), key=repr)

    assert known(asyncio.run(hosted(slow))) == known(collected())


def test_a_comparison_names_every_peer_and_every_point() -> None:
    found_runs = collected()
    points = points_of(found_runs)
    assert set(by_point(found_runs)) == set(points)
    rows = compared(points)
    found = result(rows, points, {"problems": 3})
    assert {row["peer"] for row in found["rows"]} == set(PEERS)
    assert found["calls_after_end"]["ours"] == 0
    page = comparison_table(rows) + curve_table(points)
    assert all(name in page for name in (*PEERS, *our_methods()))


def point(method: str, n: int, rights: list[float], flops: float) -> Point:
    return Point(method, n, np.array(rights), flops, 0.0, 0.0, float(n), 0.0, 0.0, 0.0)


CURVE = [
    point("beam", 1, [0, 1, 0, 0], 10.0),
    point("beam", 2, [1, 1, 0, 0], 20.0),
    point("beam", 4, [1, 1, 1, 0], 40.0),
]


@pytest.mark.parametrize(
    ("flops", "accuracy", "cost"),
    [(10, 0.25, 10), (15, 0.375, 15), (20, 0.5, 20), (30, 0.625, 30), (99, 0.75, 40), (5, 0.25, 10)],
)
def test_ours_is_read_off_its_curve_at_the_peers_cost(flops: float, accuracy: float, cost: float) -> None:
    mix = at_cost(CURVE, flops)
    assert mix.rights.mean() == pytest.approx(accuracy)
    assert mix.mean("flops") == pytest.approx(cost)


def test_a_row_says_who_is_first_and_who_is_dearer() -> None:
    default = [point("adaptive", 4, [1, 1, 1, 1], 20.0)]

    def row(rights: list[float], flops: float) -> Compared:
        its = point("its_hub BeamSearch", 4, rights, flops)
        (found,) = compared({(one.method, one.n): one for one in [*CURVE, *default, its]})
        return found

    won, lost, cheap = row([0, 0, 0, 1], 20.0), row([1, 1, 1, 1], 20.0), row([0, 1, 0, 0], 4.0)
    assert (won.first, won.first_or_within, won.dearer) == (True, True, False)
    assert (lost.first, lost.difference.value) == (False, -0.5)
    assert (cheap.first, cheap.dearer) == (True, True)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> dict[str, Method]:
        raise ModuleNotFoundError("No module named 'treequest'")

    monkeypatch.setattr(methods, "PACKAGES", {**methods.PACKAGES, "treequest": absent})
    found, missing = peer_methods()
    assert not any(name.startswith("treequest") for name in found)
    assert "pip install -e .[peers]" in missing["treequest"]


def problems_file(path: Path) -> Path:
    path.write_text(
        "".join(json.dumps({name: getattr(item, name) for name in item.__slots__}) + "\n" for item in ITEMS)
    )
    return path


def test_the_command_ends_in_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = problems_file(tmp_path / "problems.jsonl")
    models = ["--policy", "scripted:accuracy=0.5", "--verifier", "scripted:auc=0.9"]
    assert peers.main(["--quick", "--problems", str(file), "--problems-limit", "2", *models]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["problems"] == 2
    assert found["seeds"] == 1
    if PEERS:
        assert isinstance(found["ours_first_or_within"], bool)
        assert {"ours_accuracy", "peer_accuracy", "peer_flops", "ours_calls", "note"} <= set(found["rows"][0])


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert peers.main(["--quick", "--problems", str(tmp_path / "none.jsonl")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "none.jsonl" in line


def test_a_search_that_fails_ends_the_run_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(self: Room, job: object) -> Run:
        raise EngineError("the engine is gone")

    monkeypatch.setattr(Room, "_one", failing)
    file = problems_file(tmp_path / "problems.jsonl")
    assert peers.main(["--quick", "--problems", str(file), "--policy", "scripted", "--verifier", "scripted"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "the engine is gone"


async def test_what_is_under_way_is_said_when_nothing_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(self: Room, job: runs.Job) -> Run:
        await asyncio.sleep(0.2)
        return Run(job.name, job.n, job.item.id, 0, True, 1.0, 1, 1, 1, 1, 0, 0)

    monkeypatch.setattr(Room, "_one", slow)
    monkeypatch.setattr(runs, "QUIET_S", 0.05)
    policy, verifier = (
        DirectPolicy(load_policy("scripted", threads=1)),
        DirectVerifier(load_verifier("scripted", threads=1)),
    )
    await searched(PLAN, ITEMS[:1], policy, verifier, None, "test")
    assert "under way: " in capsys.readouterr().err
