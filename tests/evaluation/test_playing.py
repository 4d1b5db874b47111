"""Searches that are played on graded traces decide, cost and answer as the service's own do on the same record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.calibration import Calibration
from domain.specs.adaptive import Adaptive
from domain.specs.tree import Beam
from evaluation.calibration_fit.fit import fit
from evaluation.calibration_fit.playing import Played, played
from evaluation.calibration_fit.runs import Run
from evaluation.calibration_fit.traces import GradedProblem, GradedSample
from evaluation.held_out import main
from orchestrator.calibration import calibration_text
from tests.support.calibration import graded_problems
from tests.support.playback import play

SEEN, HELD = graded_problems(120, seed=1), graded_problems(60, seed=2)
SMALL, LARGE = Beam(n=4), Beam(n=8)


@pytest.fixture(scope="module")
def plain() -> Calibration:
    return fit(SEEN, orders=2)


def stage(problem: GradedProblem, spec: Beam, right: bool) -> Run:
    """Comes to two equal answers."""
    answer = "q:7" if right else "q:1"
    found = tuple(GradedSample(answer, right, 0.9 if right else 0.3, 20, f"{problem.id} {at}") for at in range(2))
    return Run(problem.id, spec, right, spec.n / 2, found)


def runs_of(problems: list[GradedProblem]) -> list[Run]:
    small = [stage(one, SMALL, at % 2 == 0) for at, one in enumerate(problems)]
    return small + [stage(one, LARGE, True) for one in problems]


@pytest.mark.parametrize("price", [0.0, 0.003, 0.02])
def test_without_stages_it_is_the_search_itself(plain: Calibration, price: float) -> None:
    spec = Adaptive(n=16, price=price, confidence=0.95)
    mine = [played(one, {}, plain, spec) for one in HELD]
    real = [play(one, spec, plain) for one in HELD]
    assert len({one.cost for one in mine}) > 3, "the problems differ in what they get"
    assert [one.right for one in mine] == [one.right for one in real]
    assert [one.cost for one in mine] == pytest.approx([one.cost for one in real])
    assert [one.confidence for one in mine] == pytest.approx([one.verdict.confidence for one in real])


def test_a_target_buys_more(plain: Calibration) -> None:
    spec = Adaptive(n=16, price=0.02)
    asked = [played(one, {}, plain, spec, 0.9) for one in HELD]
    assert sum(one.cost for one in asked) > sum(played(one, {}, plain, spec).cost for one in HELD)
    assert sum(one.confidence >= 0.9 for one in asked) > 10


def test_a_stage_costs_and_answers_what_was_recorded() -> None:
    runs = runs_of(SEEN)
    fitted = fit(SEEN, runs=runs, orders=1, caution=1.0)
    by_problem = {one.id: {run.strategy: run for run in runs if run.problem == one.id} for one in SEEN}
    free = Adaptive(n=16, price=0.0, confidence=2.0)
    found = [played(one, by_problem[one.id], fitted, free) for one in SEEN]
    assert all(one.stages and one.stages[-1] == LARGE for one in found), "nothing brings more, and it costs nothing"
    assert all(one.right for one in found)
    dear = [played(one, by_problem[one.id], fitted, Adaptive(n=16, price=1.0, confidence=2.0)) for one in SEEN]
    assert sum(one.cost for one in dear) < sum(one.cost for one in found)
    with pytest.raises(KeyError):
        played(SEEN[0], {}, fitted, free)


def test_at_the_default_caution_small_searches_end_where_they_are_right() -> None:
    runs = runs_of(SEEN)
    by_problem = {one.id: {run.strategy: run for run in runs if run.problem == one.id} for one in SEEN}
    fitted = fit(SEEN, runs=runs, orders=1)
    found = [played(one, by_problem[one.id], fitted, Adaptive(n=16, price=0.0, confidence=2.0)) for one in SEEN]
    assert all(one.right for one in found)
    assert {one.stages[-1] for one in found} == {SMALL, LARGE}


def test_a_stage_alone_is_charged_alone() -> None:
    runs = [stage(one, LARGE, True) for one in SEEN]
    fitted = fit(SEEN, runs=runs, orders=1)
    found = [
        played(one, {LARGE: run}, fitted, Adaptive(n=16, price=0.001, confidence=2.0))
        for one, run in zip(SEEN, runs, strict=True)
    ]
    begun = [one for one in found if one.stages == (LARGE,) and one.cost < 5]
    assert begun, "some begin with the search over steps, and pay for nothing else"
    assert all(one == Played(True, one.confidence, LARGE.n / 2, (LARGE,)) for one in begun)


def test_the_command_plays_what_its_fit_has_not_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], plain: Calibration
) -> None:
    traces, runs, calibration = (tmp_path / name for name in ("traces.jsonl", "runs.jsonl", "calibration.json"))
    traces.write_text("".join(json.dumps(line(one)) + "\n" for one in SEEN))
    runs.write_text("".join(json.dumps(run_line(one)) + "\n" for one in runs_of(SEEN)))
    calibration.write_text(calibration_text(plain))
    files = ["--traces", str(traces), "--runs", str(runs), "--calibration", str(calibration)]
    assert main([*files, "--n", "16", "--prices", "0.0", "1.0", "--caution", "1"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["n"] == len(SEEN)
    free, dear = told["prices"]["0.0"], told["prices"]["1.0"]
    assert free["accuracy"] == 1.0
    assert free["cost"] > dear["cost"]
    assert sum(count for count, _, _ in free["reliability"]) == len(SEEN)
    assert set(told["best_of_n"]) == {"1", "4", "16"}
    assert told["best_of_n"]["1"]["accuracy"] < told["best_of_n"]["16"]["accuracy"] < free["accuracy"] - 0.05


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.jsonl")
    assert main(["--traces", missing, "--runs", missing, "--calibration", missing]) == 2


def line(problem: GradedProblem) -> dict[str, object]:
    return {
        "problem_id": problem.id, "level": 1, "subject": problem.subject,
        "samples": [sample_line(one) for one in problem.samples],
    }  # fmt: skip


def sample_line(one: GradedSample) -> dict[str, object]:
    return {
        "text": one.text, "answer": one.answer, "finish": "end" if one.answer else "length", "correct": one.right,
        "completion_tokens": one.tokens, "prm_step_scores": [] if one.score is None else [one.score],
    }  # fmt: skip


def run_line(one: Run) -> dict[str, object]:
    return {
        "problem_id": one.problem, "strategy": {"name": "beam", "n": getattr(one.strategy, "n", 0)}, "seed": 0,
        "correct": one.right, "flops": one.cost, "sample_flops": 1.0,
        "solutions": [sample_line(sample) for sample in one.solutions],
    }  # fmt: skip
