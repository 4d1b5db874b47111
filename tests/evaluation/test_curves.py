"""`python -m evaluation.curves` and `evaluation.exchange` on scripted models: charges, pools, kills, keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import evaluation.curves
import evaluation.exchange
from domain.budget import NO_COST, Spend
from domain.errors import ConfigurationError, EngineError
from domain.moves import split_steps
from domain.ports import Completion, SampleRequest, ScoreRequest, StepScores
from evaluation.curving.bench import Bench
from evaluation.curving.checker import exact_scores
from evaluation.curving.journal import Journal, open_folder, read_folder
from evaluation.curving.memo import MemoPolicy, MemoVerifier
from evaluation.curving.methods import EFFORT, GREEDY, METHODS, NESTED, STEPWISE
from evaluation.curving.nested import nested_rows
from evaluation.curving.parts import Extent, parts, spread
from evaluation.curving.pools import Sampling
from evaluation.curving.rows import CHECKER, VERIFIER, Row
from evaluation.curving.work import Job, Part, carry_out, left_out, share
from evaluation.quality.collect import Models
from evaluation.quality.problems import TEST, read_items
from evaluation.quality.record import ProblemItem
from inference.engines.script import parse_script
from inference.engines.work import right_answer
from tests.support.worked import spoilt, worked_solutions

POLICY, SCORER = "scripted:accuracy=0.5,seed=3", "scripted:auc=0.8,seed=3"
HOW = Sampling(1.0, 384)


def solvable(item: ProblemItem) -> ProblemItem:
    """With the answer that the scripted policy takes for right."""
    return replace(item, answer=str(right_answer(parse_script(POLICY), item.problem)))


ITEMS = tuple(map(solvable, read_items(TEST)[:40:5]))


def on_bench(measure: Callable[[Bench], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        bench = Bench.open(POLICY, SCORER, HOW)
        try:
            return await measure(bench)
        finally:
            await bench.close()

    return asyncio.run(run())


# ------------------------------------------------------------------------------------------------ pools and charges


def comparable(row: Row) -> Row:
    return replace(row, seconds=0.0, share=None, reason="")


class Keeping:
    """An engine that keeps what it reads; a verifier's tokens are characters."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.info = inner, inner.info

    async def sample(self, request: SampleRequest) -> Completion:
        done: Completion = await self.inner.sample(request)
        return replace(done, ends=(done.cost.prompt_tokens,))

    async def score(self, request: ScoreRequest) -> StepScores:
        done: StepScores = await self.inner.score(request)
        steps = split_steps(request.solution)
        ends = tuple(accumulate((len(request.problem), *map(len, steps))))
        cost = Spend(verified_tokens=ends[-1], flops=2.0 * self.info.parameters * ends[-1], verifier_calls=1)
        return replace(done, cost=cost, ends=ends)


@pytest.mark.parametrize("keeps", [False, True])
def test_what_is_read_off_a_pool_is_what_the_loop_gives_at_each_n(keeps: bool) -> None:
    item, sizes = ITEMS[1], (1, 2, 8, 32)

    async def measure(bench: Bench) -> tuple[list[Row], list[Row]]:
        if keeps:
            policy, others = MemoPolicy(Keeping(bench.policy)), (bench.verifier, bench.checker)
            verifier, checker = (MemoVerifier(Keeping(one)) for one in others)
            bench = replace(bench, policy=policy, verifier=verifier, checker=checker)
        block = await bench.fill(item, 1, 1, 32)
        pool = await bench.pool(item, 1, {1: block})
        read = await nested_rows(pool, sizes, HOW, lambda answer: bench.is_right(item, answer), bench.equivalence)
        bench.forget(item)  # the searches ask the engines anew
        return read, [await bench.run(one.unit, item) for one in read]

    read, ran = on_bench(measure)
    assert {(one.method, one.arm) for one in read} == {
        ("majority", VERIFIER), ("best-of-n weighted", VERIFIER), ("best-of-n weighted", CHECKER),
        ("best-of-n best", VERIFIER), ("best-of-n best", CHECKER),
    }  # fmt: skip
    assert list(map(comparable, read)) == list(map(comparable, ran))
    assert [one.budget == 1 or one.cached_tokens > 0 for one in read] == [keeps or one.budget == 1 for one in read]
    weighted = next(one for one in read if (one.method, one.arm, one.budget) == (NESTED[1].name, VERIFIER, 32))
    assert 1 < weighted.verifier_calls < 32  # equal solutions are scored once


def test_a_problem_without_one_finished_solution_counts_as_wrong_in_every_arm() -> None:
    async def measure(bench: Bench) -> list[Row]:
        bench.how = Sampling(1.0, 5)
        pool = await bench.pool(ITEMS[1], 1, {1: await bench.fill(ITEMS[1], 1, 1, 4)})
        grade = lambda answer: bench.is_right(ITEMS[1], answer)  # noqa: E731
        return await nested_rows(pool, (4,), bench.how, grade, bench.equivalence)

    assert [(one.right, one.rollouts, one.verifier_calls) for one in on_bench(measure)] == [(False, 4, 0)] * 5


class Counting:
    """Adds up what every call was said to cost."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.info, self.spent, self.calls = inner, inner.info, NO_COST, 0

    async def sample(self, request: SampleRequest) -> Completion:
        return self._counted(await self.inner.sample(request))

    async def score(self, request: ScoreRequest) -> StepScores:
        return self._counted(await self.inner.score(request))

    def _counted(self, result: Any) -> Any:
        self.calls += 1
        self.spent += result.cost
        return result

    def abort(self, keys: Any) -> None:
        self.inner.abort(keys)


@pytest.mark.parametrize("name", [name for name in METHODS if name not in (EFFORT, GREEDY.name)])
def test_every_method_is_charged_for_all_its_calls(name: str) -> None:
    async def measure(bench: Bench) -> tuple[Row, Spend, int]:
        policy, verifier = Counting(bench.policy), Counting(bench.verifier)
        counted: Any = replace(bench, policy=policy, verifier=verifier)
        row = await counted.run((name, VERIFIER, 8, 1, ITEMS[0].id), ITEMS[0])
        return row, policy.spent + verifier.spent, policy.calls

    row, spent, calls = on_bench(measure)
    assert calls >= 1
    assert row.flops == pytest.approx(spent.flops)
    assert (row.prompt_tokens, row.generated_tokens) == (spent.prompt_tokens, spent.generated_tokens)
    assert (row.verified_tokens, row.rollouts) == (spent.verified_tokens, spent.rollouts)


def test_the_checker_arm_differs_in_what_it_is_told_and_not_in_what_a_score_costs() -> None:
    solutions = worked_solutions(TEST)
    for item in read_items(TEST)[:12]:
        right, wrong = solutions[item.problem], spoilt(solutions[item.problem])
        assert set(exact_scores(item.problem, right)) == {1.0}
        scores = exact_scores(item.problem, wrong)
        assert scores[-1] == 0.0
        assert list(scores) == sorted(scores, reverse=True)

    async def measure(bench: Bench) -> list[StepScores]:
        request = ScoreRequest("a", ITEMS[0].problem, solutions[ITEMS[0].problem])
        return [await one.score(request) for one in (bench.verifier, bench.checker) if one is not None]

    verifier, checker = on_bench(measure)
    assert verifier.cost == checker.cost
    assert len(verifier.scores) == len(checker.scores)


def test_the_same_call_is_asked_once_and_a_failure_again() -> None:
    class Failing:
        info: Any = None
        asked = 0

        async def sample(self, request: SampleRequest) -> Completion:
            self.asked += 1
            await asyncio.sleep(0)
            if self.asked == 1:
                raise EngineError("down", retryable=True)
            return Completion(request.key, "text", "end", None, None, Spend(rollouts=1))  # type: ignore[arg-type]

    async def run() -> None:
        inner = Failing()
        memo = MemoPolicy(inner)  # type: ignore[arg-type]
        one = SampleRequest("a", "?", "", 1, 9, temperature=1.0)
        with pytest.raises(EngineError):
            await memo.sample(one)
        first, second = await asyncio.gather(memo.sample(one), memo.sample(replace(one, key="b")))
        assert (first.key, second.key, first.cost, inner.asked) == ("a", "b", second.cost, 2)
        await memo.sample(replace(one, seed=2))
        await memo.sample(replace(one, attempts=("x",)))
        assert inner.asked == 4
        memo.forget("?")
        await memo.sample(one)
        assert inner.asked == 5

    asyncio.run(run())


# ------------------------------------------------------------------------------------------------ kills


def job(folder: Path, policy: str = POLICY, deadline: float | None = None) -> Job:
    part = Part("all", ITEMS[:3], 1, 8, (1, 2, 4, 8), ("adaptive", "beam", "revisions, one chain"), (4,))
    larger = Part("more", ITEMS[:3], 1, 16, (16,), ())
    return Job(policy, SCORER, HOW, (part, larger), folder, deadline)


def kept(folder: Path) -> dict[Any, Row]:
    return {unit: comparable(one) for unit, one in read_folder(folder).rows.items()}


def test_a_killed_run_goes_on_and_ends_with_the_same_numbers(tmp_path: Path) -> None:
    for name in ("killed", "whole"):
        open_folder(tmp_path / name, {})
    dying = get_context("spawn").Process(target=share, args=(job(tmp_path / "killed", f"{POLICY},die_after=60"), 0, 1))
    dying.start()
    dying.join()
    assert dying.exitcode == 17
    before = (tmp_path / "killed" / "worker-1.jsonl").read_text()
    with (tmp_path / "killed" / "worker-1.jsonl").open("a") as file:
        file.write('{"row": {"method": "adap')  # torn by the kill
    rows = carry_out(job(tmp_path / "killed"), 1)
    assert '"block"' in before
    after = (tmp_path / "killed" / "worker-1.jsonl").read_text()
    assert after.startswith(before)
    measured = [line for line in after.splitlines() if line.startswith('{"row"') and line.endswith("}}")]
    assert len(measured) == len(rows) == 3 * (5 * 5 + 6)  # nothing was measured twice
    carry_out(job(tmp_path / "whole"), 1)
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")
    assert left_out(job(tmp_path / "whole"), rows) == []


def test_time_that_is_up_is_told_and_the_rest_is_done_later_by_more_workers(tmp_path: Path) -> None:
    open_folder(tmp_path, {})
    late = job(tmp_path, deadline=1.0)
    assert left_out(late, carry_out(late, 1)) == ["all: 3 of 3 problems", "more: 3 of 3 problems"]
    later = job(tmp_path)
    assert left_out(later, carry_out(later, 2)) == []
    assert {path.name for path in tmp_path.glob("*.jsonl")} == {"worker-1.jsonl", "worker-2.jsonl"}


def test_the_journal_of_another_setting_is_not_touched(tmp_path: Path) -> None:
    open_folder(tmp_path, {"temperature": 1.0})
    open_folder(tmp_path, {"temperature": 1.0})
    with pytest.raises(ConfigurationError, match="another setting"):
        open_folder(tmp_path, {"temperature": 0.8})


def test_a_block_comes_back_as_it_was(tmp_path: Path) -> None:
    def kept(bench: Bench) -> Bench:
        return replace(bench, policy=MemoPolicy(Keeping(bench.policy)), verifier=MemoVerifier(Keeping(bench.verifier)))

    block = on_bench(lambda bench: kept(bench).fill(ITEMS[0], 2, 5, 12))
    assert all(one.ends for one in (*block.samples, *block.scores.values()))
    journal = Journal(tmp_path, "one")
    journal.put(blocks=[block])
    journal.close()
    found = read_folder(tmp_path).blocks[ITEMS[0].id, 2][5]
    assert found.samples == tuple(replace(one, key="") for one in block.samples)
    assert found.scores == {text: replace(one, key="") for text, one in block.scores.items()}


# ------------------------------------------------------------------------------------------------ what is measured


def test_a_full_run_covers_every_method_and_seed_and_begins_with_the_reference() -> None:
    items = tuple(read_items(TEST))
    found = parts(Extent(items, 150, (1, 2, 3), 256))
    assert (found[0].pool, len(found[0].items), found[0].seed) == (64, 500, 1)
    for seed in (1, 2, 3):
        mine = [one for one in found if one.seed == seed]
        budgets = {(name, n) for one in mine for name, _, n, _, _ in one.units("p", checked=True)}
        assert {(one.name, n) for one in STEPWISE for n in (4, 16, 64)} <= budgets
        assert {("adaptive", 256), ("compute-optimal", 64)} <= budgets
        assert max(one.pool for one in mine if len(one.items) == 500) == 256
    arms = {arm for one in found for _, arm, _, _, _ in one.units("p", checked=True)}
    assert arms == {VERIFIER, CHECKER}
    live = spread(items, 150)
    assert {sum(one.level == level for one in live) for level in range(1, 6)} == {30}


KEYS = {
    "adaptive_flops_ratio", "adaptive_flops_ratio_vs_plateau", "compute_optimal_flops_ratio",
    "compute_optimal_flops_ratio_vs_plateau", "worst_harm_points", "worst_harm", "harm_by_method",
    "curves", "n", "seeds", "temperature", "left_out", "seconds",
}  # fmt: skip


def test_quick_prints_the_keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(evaluation.curves, "models_in", lambda folder: Models(POLICY, SCORER))
    monkeypatch.setattr(evaluation.curves, "read_items", lambda path: list(ITEMS))
    monkeypatch.setattr(evaluation.curves, "QUICK_LIVE", 2)
    assert evaluation.curves.main(["--quick"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result.keys() >= KEYS
    assert result["left_out"] == []
    assert result["worst_harm"]["n"] in (4, 8, 16)
    assert {f"{one.name}, {arm}" for one in STEPWISE for arm in (VERIFIER, CHECKER)} <= result["curves"].keys()
    weighted = result["curves"]["best-of-n weighted, verifier"]
    assert list(weighted) == ["1", "2", "4", "8", "16"]
    assert weighted["16"]["rollouts"] == 16
    assert set(weighted["16"]["accuracy"]) >= {"all", "level 1", "bin 1", "bin 5"}


@pytest.mark.parametrize(("small", "ratio", "folder"), [("small", 1.0, "exchange"), ("my", 2.5, "exchange-my")])
def test_a_full_run_writes_page_numbers_and_figures(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    small: str,
    ratio: float,
    folder: str,
) -> None:
    monkeypatch.setattr(evaluation.exchange, "_folder", lambda models, name: f"scripted:parameters={len(name) * 7}")
    monkeypatch.setattr(evaluation.exchange, "read_items", lambda path: list(ITEMS))
    monkeypatch.setattr(evaluation.exchange, "RESULTS", tmp_path)
    monkeypatch.setattr("evaluation.report.RESULTS", tmp_path)
    arguments = ["--n", "5", "--samples", "4", "--seeds", "1", "--small", small, "--journal", str(tmp_path / "journal")]
    assert evaluation.exchange.main(arguments) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["ratio"] == result["large_parameters"] / result["small_parameters"] == ratio
    assert result["at_equal_flops"]["greedy"]["level 1"]["small"].keys() >= {
        "small: majority",
        "small: particles, sure steps once",
    }
    (page,) = (tmp_path / folder).glob("*.md")
    assert "python -m evaluation.exchange --n 5" in page.read_text()
    assert f"The small model, `{small}`, has" in page.read_text()
    assert {path.suffix for path in (tmp_path / folder).iterdir()} == {".md", ".json", ".csv", ".png", ".svg"}


def test_missing_models_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluation.curves.main(["--models", str(tmp_path)]) == 2
    assert evaluation.exchange.main(["--models", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("is missing: name a folder with") == 2
