"""`python -m evaluation.models` on scripted models: what is drawn, graded and printed, and its gates."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evaluation.models as benchmark
from domain.budget import Spend
from domain.errors import ConfigurationError, EngineError
from domain.moves import Answer, FinishReason
from domain.ports import Completion, SampleRequest
from evaluation.quality.chain import Chain, Reviser
from evaluation.quality.classes import classes
from evaluation.quality.collect import Models, Plan, collect, models_in
from evaluation.quality.gates import gates
from evaluation.quality.page import write_extras
from evaluation.quality.problems import CALIBRATION, TEST, read_items
from evaluation.quality.record import ProblemItem, ProblemRecord
from evaluation.quality.result import result_of
from evaluation.quality.summary import Sheet, summary
from evaluation.quality.tables import tables
from evaluation.statistics import Interval
from inference.engines.base import CallFailure
from tests.support.worked import WorkedPolicy, WorkedVerifier, worked_solutions
from training.problems.generator import recognise
from training.problems.partition import split_of

MODELS = Models("scripted:seed=3", "scripted:seed=3", "scripted:seed=4")
PLAN = Plan(MODELS, samples=64, chains=1, revisions=3, temperature=1.0, max_tokens=384, seed=1)
KEYS = {
    "pass1", "pass64", "pass1_level5", "pass64_level5", "majority", "pass_at", "prm_within_problem_auc",
    "checker_within_problem_auc", "best_of_n_last", "prm_minus_majority_16_hard", "prm_minus_orm_64",
    "prm_minus_sequence_probability_16", "exact_checker_16", "prm_ece", "first_error_f1", "reviser_right_to_wrong",
    "reviser_chain", "weighted_64_by_aggregation", "temperature", "seed", "n", "seconds", "gates", "intervals",
}  # fmt: skip


@pytest.fixture(scope="module")
def items() -> list[ProblemItem]:
    """Three or more of each level."""
    return read_items(TEST)[:60:3]


@pytest.fixture(scope="module")
def records(items: list[ProblemItem]) -> list[ProblemRecord]:
    solutions = worked_solutions(TEST)

    def verifier(spec: str, **_: object) -> WorkedVerifier:
        return WorkedVerifier(solutions, 0.0 if spec == "prm" else 0.3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inference.engines.factory.load_policy", lambda *_, **__: WorkedPolicy(solutions, 0.45))
        patch.setattr("inference.verifiers.factory.load_verifier", verifier)
        return collect(replace(PLAN, models=Models("policy", "prm", "orm")), items, 1, "test")


@pytest.fixture(scope="module")
def sheet(records: list[ProblemRecord]) -> Sheet:
    return Sheet(records, 0.5)


# ------------------------------------------------------------------------------------------------ what is measured


@pytest.mark.parametrize(("path", "split", "n"), [(TEST, "test", 500), (CALIBRATION, "calibration", 150)])
def test_the_problem_sets_are_of_their_split_and_exact(path: Path, split: str, n: int) -> None:
    items = read_items(path)
    assert len({item.id for item in items}) == len({item.problem for item in items}) == n
    for item in items:
        found = recognise(item.problem)
        assert found is not None, item.id
        kind, given = found
        assert (split_of(item.problem), kind.answer(given)) == (split, item.answer), item.id


def test_a_bad_problem_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"id": "a", "problem": "1+1", "answer": "2", "subject": "x", "level": 1}\n{"id": "b"}\n')
    with pytest.raises(ConfigurationError, match=r"mine\.jsonl:2"):
        read_items(path)
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_items(tmp_path / "none.jsonl")


def test_problems_without_an_exact_checker_are_refused() -> None:
    other = ProblemItem("x", "Compute 3 + 4", "7", "other", 1)
    with pytest.raises(ConfigurationError, match="can't be checked"):
        collect(replace(PLAN, samples=4), [other], 1, "test")


def test_the_same_plan_gives_the_same_records_however_the_work_is_shared(
    items: list[ProblemItem], records: list[ProblemRecord]
) -> None:
    assert [record.item for record in records] == items
    alone = collect(replace(PLAN, samples=8), items[:3], 1, "test")
    assert [record.item for record in alone] == items[:3]
    assert collect(replace(PLAN, samples=8), items[:3], 2, "test") == alone


def test_every_solution_is_drawn_graded_checked_and_scored(records: list[ProblemRecord]) -> None:
    solutions = [one for record in records for one in record.solutions]
    assert len(solutions) == 20 * 64
    assert 0.2 < sum(one.right for one in solutions) / len(solutions) < 0.6
    finished = [one for one in solutions if one.finished]
    assert 0.8 < len(finished) / len(solutions) < 1.0
    assert all(len(one.prm) > 1 and one.orm is not None for one in finished)
    assert all(one.sound == one.right == (one.prm[-1] == 0.9) for one in finished)
    assert not any(one.right or one.key or one.prm for one in solutions if not one.finished)
    assert {one.base for one in solutions} == {None}  # this verifier is no language model
    assert all(len(chain) == 4 for record in records for chain in record.chains)
    assert all(record.chains[0][0] == record.solutions[0].right for record in records)


async def test_answers_that_are_equal_by_a_chain_of_findings_are_one_class() -> None:
    class Pairs:
        async def equivalent(self, key: str, others: list[str]) -> tuple[str, ...]:
            return tuple(one for one in others if {key, one} in ({"b", "c"}, {"a", "c"}))

    assert await classes(["a", "b", "d", "c", "b"], Pairs()) == {"a": "a", "b": "a", "c": "a", "d": "d"}


# ------------------------------------------------------------------------------------------------ chains


class Recorder:
    """An engine that is right at the n-th attempt, refuses more than two shown attempts, and says what it was shown."""

    def __init__(self, finish: FinishReason = FinishReason.END) -> None:
        self.shown: list[tuple[str, ...]] = []
        self.seeds: list[int] = []
        self._finish = finish
        self._waiting: list[SampleRequest] = []

    @property
    def pending(self) -> int:
        return len(self._waiting)

    def add(self, request: SampleRequest) -> None:
        if len(request.attempts) > 2:
            raise EngineError("the prompt is too long", retryable=False)
        self._waiting.append(request)

    def step(self) -> list[Completion | CallFailure]:
        request = self._waiting.pop()
        self.shown.append(request.attempts)
        self.seeds.append(request.seed)
        return [completion(f"try {len(self.shown)}", self._finish)._replace_key(request.key)]


class Keyed(Completion):
    def _replace_key(self, key: str) -> Completion:
        return replace(self, key=key)


def completion(text: str, finish: FinishReason = FinishReason.END) -> Keyed:
    answer = Answer("5", "q:5") if finish is FinishReason.END else None
    return Keyed("", text, finish, answer, -1.0, Spend())


def test_a_revision_sees_the_attempts_before_it_and_fewer_where_the_context_is_short() -> None:
    engine, chain = Recorder(), Chain("p", 7, [completion("try 0")])
    Reviser(engine, 4, 100, 1.0).run([chain], "test")
    assert engine.shown == [("try 0",), ("try 0", "try 1"), ("try 1", "try 2"), ("try 2", "try 3")]
    assert chain.shortened == 2
    assert len(set(engine.seeds)) == 4
    assert [one.text for one in chain.attempts] == ["try 0", "try 1", "try 2", "try 3", "try 4"]


def test_attempts_that_were_cut_are_not_shown() -> None:
    engine, chain = Recorder(FinishReason.LENGTH), Chain("p", 7, [completion("try 0")])
    Reviser(engine, 3, 100, 1.0).run([chain], "test")
    assert engine.shown == [("try 0",)] * 3


def test_the_latest_four_different_attempts_are_shown() -> None:
    assert Chain("p", 1, [completion(str(at)) for at in range(6)]).shown == ("2", "3", "4", "5")
    assert Chain("p", 1, [completion(text) for text in ("0", "1", "0", "0")]).shown == ("1", "0")


def test_a_failed_call_ends_the_run() -> None:
    with pytest.raises(EngineError, match="injected"):
        collect(replace(PLAN, models=replace(MODELS, policy="scripted:fail=1")), read_items(TEST)[:1], 1, "test")


# ------------------------------------------------------------------------------------------------ what is said


def leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        for part in tree.values():
            yield from leaves(part)
    else:
        yield tree


def test_the_json_has_every_key_with_an_interval_around_every_number(sheet: Sheet) -> None:
    found = json.loads(json.dumps(result_of(sheet, PLAN, seconds=1.0, workers=1).as_json(), allow_nan=False))
    assert set(found) >= KEYS
    assert list(found["best_of_n_last"]) == ["1", "4", "16", "64"]
    assert list(found["pass1"]) == ["1", "2", "3", "4", "5", "all"] == list(found["majority"]["16"])
    assert set(found["majority"]) == set(found["pass_at"]) == {"4", "16", "64"}
    values, intervals = (leaves({key: tree[key] for key in found["intervals"]}) for tree in (found, found["intervals"]))
    pairs = list(zip(values, intervals, strict=True))
    assert len(pairs) > 100
    for value, interval in pairs:
        assert (value is None) == (interval is None)
        assert value is None or interval[0] <= value <= interval[1]


def test_the_numbers_fit_each_other(sheet: Sheet) -> None:
    found = summary(sheet)
    rates = [record.pass1 for record in sheet.records]
    assert found["pass1"]["all"].value == pytest.approx(sum(rates) / len(rates))
    assert found["best_of_n_last"]["1"].value == pytest.approx(found["pass1"]["all"].value)
    assert found["pass_at"]["64"] == found["pass64"]
    assert found["prm_within_problem_auc"].value == found["checker_within_problem_auc"].value == 1.0
    assert 0.0 < found["orm_within_problem_auc"].value < 1.0
    assert found["best_of_n"]["exact checker"] == found["best_of_n_last"]
    assert found["exact_checker_16"] == found["best_of_n_last"]["16"]
    assert found["prm_minus_majority_16_hard"].value > found["prm_minus_majority_16"].value > 0.0
    assert found["first_error_f1"].value == 1.0
    assert [sum(where) for where in sheet.by_bin.values()] == [4] * 5
    eased = [one.value for one in found["pass1_by_bin"].values()]
    assert eased == sorted(eased, reverse=True)
    assert not found["prm_minus_sequence_probability_16"].known
    assert found["reviser_chain"]["0"].value == pytest.approx(sum(one.chains[0][0] for one in sheet.records) / 20)


def test_the_gain_on_the_hard_bins_counts_only_those(sheet: Sheet) -> None:
    hard = [record for record, number in zip(sheet.records, sheet.bins, strict=True) if number >= 2]
    alone = summary(Sheet(hard, 0.5))["prm_minus_majority_16"]
    assert summary(sheet)["prm_minus_majority_16_hard"].value == pytest.approx(alone.value)


def test_right_turned_wrong_is_a_share_of_what_was_right(records: list[ProblemRecord]) -> None:
    chains = [(True, False, True), (False, False, True), (True, True, True)]
    made = [replace(record, chains=(chain,)) for record, chain in zip(records, chains, strict=False)]
    found = summary(Sheet(made, 0.5))
    assert found["reviser_right_to_wrong"].value == pytest.approx(1 / 3)
    assert found["reviser_wrong_to_right"].value == pytest.approx(2 / 3)
    assert [one.value for one in found["reviser_chain"].values()] == pytest.approx([2 / 3, 1 / 3, 1.0])


def test_what_too_few_solutions_can_not_say_is_unknown(items: list[ProblemItem]) -> None:
    few = Sheet(collect(replace(PLAN, samples=8), items[:5], 1, "test"), 0.5)
    found = result_of(few, PLAN, seconds=1.0, workers=1).as_json()
    assert found["pass64"]["all"] is None
    assert found["best_of_n_last"]["4"] is not None
    assert found["best_of_n_last"]["16"] is None
    assert found["gates"]["pass64_at_least_0.85"] is False


def test_a_policy_that_finishes_nothing_gives_a_report_and_not_a_crash(items: list[ProblemItem]) -> None:
    cut = Sheet(collect(replace(PLAN, max_tokens=5), items[:5], 1, "test"), 0.5)
    found = result_of(cut, PLAN, seconds=1.0, workers=1)
    assert found.as_json()["pass1"]["all"] == 0.0
    assert found.as_json()["prm_ece"] is None
    assert not any(found.gates.values())
    assert "**no**" in tables(cut, found)


def test_a_full_run_leaves_a_table_and_three_figures(sheet: Sheet, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result = result_of(sheet, PLAN, seconds=1.0, workers=1)
    shown = write_extras(sheet, result, tmp_path)
    names = {path.name[len("2026-01-01") :] for path in tmp_path.iterdir()}
    figures = {f"-{name}.{ending}" for name in ("accuracy", "reliability", "chain") for ending in ("png", "svg")}
    assert names == figures | {".csv"}
    lines = list(csv.DictReader(next(tmp_path.glob("*.csv")).read_text().splitlines()))
    (line,) = [one for one in lines if (one["key"], one["part"]) == ("pass1", "all")]
    assert float(line["value"]) == pytest.approx(result.found["pass1"]["all"].value, abs=1e-5)
    assert shown.count("![") == 3


# ------------------------------------------------------------------------------------------------ gates


def passing() -> dict[str, Any]:
    def at(value: float) -> Interval:
        return Interval(value, value, value)

    return {
        "best_of_n_last": {"1": at(0.4), "4": at(0.5), "16": at(0.6), "64": at(0.65)},
        "pass1": {"all": at(0.4)},
        "pass64": {"all": at(0.88)},
        "prm_within_problem_auc": at(0.77),
        "checker_within_problem_auc": at(0.8),
        "prm_minus_majority_16_hard": at(12.0),
        "prm_minus_orm_64": at(0.5),
    }


def test_all_gates_hold_where_all_should() -> None:
    assert len(gates(passing())) == 7
    assert all(gates(passing()).values())


@pytest.mark.parametrize(
    ("key", "part", "value", "gate"),
    [
        ("prm_within_problem_auc", None, 0.75, "prm_within_problem_auc_at_least_0.95_of_checker"),
        ("best_of_n_last", "64", 0.59, "best_of_n_last_rises"),
        ("prm_minus_majority_16_hard", None, 9.9, "prm_minus_majority_16_hard_at_least_10"),
        ("prm_minus_orm_64", None, 0.0, "prm_beats_orm_64"),
        ("prm_minus_orm_64", None, math.nan, "prm_beats_orm_64"),
        ("pass1", "all", 0.59, "pass64_minus_pass1_at_least_0.3"),
        ("pass1", "all", 0.19, "pass1_from_0.2_to_0.6"),
        ("pass64", "all", 0.84, "pass64_at_least_0.85"),
    ],
)
def test_each_gate_falls_alone(key: str, part: str | None, value: float, gate: str) -> None:
    found = passing()
    interval = Interval(value, value, value)
    found[key] = interval if part is None else found[key] | {part: interval}
    assert [name for name, holds in gates(found).items() if not holds] == [gate]


def test_a_curve_that_stays_flat_does_not_rise() -> None:
    flat = Interval(0.4, 0.4, 0.4)
    assert not gates(passing() | {"best_of_n_last": {"1": flat, "64": flat}})["best_of_n_last_rises"]


# ------------------------------------------------------------------------------------------------ the command


def test_the_threshold_never_sees_the_test_split(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ProblemRecord] = []

    def spy(records: list[ProblemRecord]) -> float:
        seen.extend(records)
        return 0.25

    monkeypatch.setattr(benchmark, "choose_threshold", spy)
    monkeypatch.setattr(benchmark, "QUICK_PROBLEMS", 5)
    monkeypatch.setattr(benchmark, "QUICK_CALIBRATION", 6)
    sheet = benchmark.measured(replace(PLAN, samples=8), TEST, CALIBRATION, workers=1, quick=True)
    assert sheet.threshold == 0.25
    assert [record.item for record in sheet.records] == read_items(TEST)[:5]
    assert [record.item for record in seen] == read_items(CALIBRATION)[:6]


def test_the_command_ends_in_one_line_of_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "models_in", lambda folder: MODELS)
    monkeypatch.setattr(benchmark, "QUICK_PROBLEMS", 4)
    monkeypatch.setattr(benchmark, "QUICK_CALIBRATION", 4)
    assert benchmark.main(["--quick", "--revisions", "2"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out.splitlines()[-1])
    assert set(found) >= KEYS
    assert (found["n"], found["temperature"], found["seed"], found["samples"]) == (4, 1.0, 1, 64)
    assert "test: solutions: 256/256" in err


def test_a_folder_without_models_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["--models", str(tmp_path)]) == 2
    assert "policy is missing" in capsys.readouterr().err
    for name in ("policy", "verifier"):
        (tmp_path / name).mkdir()
    assert models_in(tmp_path).orm is None
