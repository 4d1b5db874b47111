"""Fits on made problems: what is fitted means what it says on other made problems, and bad files get one line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from domain.calibration import Calibration
from domain.errors import ConfigurationError, InvalidRequest
from domain.moves import Answer, FinishReason
from domain.specs.adaptive import Adaptive, ComputeOptimal
from domain.specs.parallel import BestOfN
from domain.specs.tree import Beam
from evaluation.calibration_fit.check import expected_calibration_error, reliability
from evaluation.calibration_fit.climbs import climbs, ladder_of
from evaluation.calibration_fit.fit import fit
from evaluation.calibration_fit.logistic import feature_rows, fit_logistic, predict, rising
from evaluation.calibration_fit.runs import Run, read_runs
from evaluation.calibration_fit.traces import GradedSample, read_traces, without_scores
from evaluation.calibration_fit.trajectories import Counting
from orchestrator.calibration import calibration_for, calibration_text, read_calibration
from search.election import SEARCHED, model_after
from search.features import evidence_for, probability
from search.solutions import classes_of
from search.tree import Node, NodeStatus, ScoreStatus
from search.voting import Ballot, tally
from tests.support.calibration import FIRST, graded_problems, two_steps
from tests.support.playback import play

SEEN, HELD = graded_problems(160, seed=1), graded_problems(120, seed=2)


@pytest.fixture(scope="module")
def fitted() -> Calibration:
    return fit(SEEN, policy="abc", verifier="def", orders=2)


def nodes_of(samples: list[GradedSample]) -> list[Node]:
    return [
        Node(
            at,
            status=NodeStatus.SAMPLED,
            text=one.text,
            finish=FinishReason.END if one.answer else FinishReason.LENGTH,
            answer=Answer(one.answer, one.answer) if one.answer else None,
            scoring=ScoreStatus.SCORED if one.answer else ScoreStatus.NONE,
            scores=() if one.score is None else (FIRST, one.score),
        )
        for at, one in enumerate(samples, start=1)
    ]


def test_simulated_evidence_equals_that_of_a_search() -> None:
    for problem in SEEN[:40]:
        counting = Counting("scored", 1.0)
        for size, sample in enumerate(problem.samples, start=1):
            counting.add(sample)
            nodes = nodes_of(list(problem.samples[:size]))
            classes = tally([Ballot(node, node.scores[-1]) for node in nodes if node.finished], nodes)
            if classes:
                mine, theirs = counting.state(0).evidence, evidence_for(classes, classes[0], size)
                assert mine.votes == theirs.votes
                assert mine.rival_votes == theirs.rival_votes
                assert (mine.sampled, mine.answered, mine.classes) == (theirs.sampled, theirs.answered, theirs.classes)
                assert mine.total_weight == pytest.approx(theirs.total_weight)
                assert (mine.best, mine.rival_best) == (theirs.best, theirs.rival_best)


def test_the_logistic_finds_a_known_rate_and_serves_the_same_numbers(fitted: Calibration) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 1))
    right = rng.random(4000) < 1 / (1 + np.exp(-(1.0 + 2.0 * rows[:, 0])))
    model = fit_logistic(("size",), rows, right.astype(float), np.ones(4000))
    assert predict(model, np.array([[0.0], [1.0]])) == pytest.approx([0.73, 0.95], abs=0.03)
    served = fitted.confidence[0].logistic
    evidence = [Counting("votes", 1.0).state(0).evidence]
    assert predict(served, feature_rows(served.features, evidence))[0] == pytest.approx(
        probability(served, evidence[0]), abs=1e-6
    )


def test_pooling_makes_a_curve_rise() -> None:
    assert rising(np.array([0.1, 0.5, 0.3, 0.9]), np.ones(4)).tolist() == pytest.approx([0.1, 0.4, 0.4, 0.9])


def test_confidence_is_calibrated_on_other_problems(fitted: Calibration) -> None:
    thrifty = Adaptive(n=16, price=0.003)
    played = [play(one, thrifty, fitted, order=order) for one in HELD for order in range(2)]
    assert expected_calibration_error(reliability((one.verdict.confidence, one.right) for one in played)) < 0.09
    sure = [one for one in (play(one, thrifty, fitted, target=0.8) for one in HELD) if one.stopped_sure]
    assert len(sure) > 20
    assert sum(one.right for one in sure) / len(sure) > 0.76


def test_a_longer_search_is_doubted_rather_than_believed(fitted: Calibration) -> None:
    """At this price nearly all solutions are asked for; few problems were seen that long, so it says less."""
    played = [play(one, Adaptive(n=16, price=0.001), fitted, order=order) for one in HELD for order in range(2)]
    assert all(
        bar.confidence <= bar.accuracy + 0.05
        for bar in reliability((one.verdict.confidence, one.right) for one in played)
        if bar.count >= 10
    )


def test_adaptive_costs_less_for_the_same_accuracy(fitted: Calibration) -> None:
    adaptive = [play(one, Adaptive(n=16), fitted) for one in HELD]
    whole = [play(one, BestOfN(n=16), fitted) for one in HELD]
    assert sum(one.right for one in adaptive) >= sum(one.right for one in whole) - 3
    assert sum(one.cost for one in adaptive) < 0.6 * sum(one.cost for one in whole)


def test_compute_optimal_stays_within_its_budget_on_average(fitted: Calibration) -> None:
    played = [play(one, ComputeOptimal(n=8), fitted) for one in HELD]
    assert sum(one.cost for one in played) / len(played) <= 16.5
    baseline = [play(one, BestOfN(n=4), fitted) for one in HELD]
    assert sum(one.right for one in played) >= sum(one.right for one in baseline)


def solutions(name: str, right: bool) -> tuple[GradedSample, ...]:
    """What a search over steps came to: two kin, and one that was cut."""
    answer = "q:7" if right else "q:1"
    found = [two_steps(answer, right, 0.9 if right else 0.3, f"{name} {at}") for at in range(2)]
    return (*found, GradedSample(None, False, None, 20, f"{name} cut"))


def test_runs_become_the_rungs_of_the_ladder() -> None:
    small, large = Beam(n=4), Beam(n=8)
    runs = [Run(one.id, small, at % 2 == 0, 3.0, solutions(one.id, at % 2 == 0)) for at, one in enumerate(SEEN)]
    runs += [Run(one.id, large, True, 7.0, solutions(one.id, True)) for one in SEEN]
    assert ladder_of(runs) == (small, large)
    fitted = fit(SEEN[:60], runs=runs, orders=1)
    assert {small, large} <= {one.strategy for one in fitted.choices} | {small}
    models = [model_after(fitted, stages) for stages in ((small,), (large,), (small, large))]
    assert len({one.family for one in models if one is not None}) == 3
    assert fitted.actions is not None
    steps = {(one.rung, one.to_rung): one for one in fitted.actions.values if one.strategy is not None and one.scored}
    assert set(steps) == {(0, 1), (0, 2), (1, 2)}
    assert max(steps[0, 2].gains) > 0.2
    assert steps[1, 2].strategy == large
    assert all(cost == pytest.approx(7.0) for cost in steps[1, 2].costs)


def test_two_searches_are_chosen_where_neither_is_enough() -> None:
    """Each solves another half of the problems, and its verifier is sure only of what is right."""
    small, large = Beam(n=4), Beam(n=8)
    runs = [Run(one.id, small, at % 2 == 0, 3.0, solutions(one.id, at % 2 == 0)) for at, one in enumerate(SEEN)]
    runs += [Run(one.id, large, at % 2 == 1, 7.0, solutions(one.id, at % 2 == 1)) for at, one in enumerate(SEEN)]
    dear = [one for one in fit(SEEN, runs=runs, orders=1).choices if one.samples == 16]
    both = [one for one in dear if (one.strategy, one.then) == (small, (large,))]
    assert both, "where plain solutions are mostly wrong"
    assert all(one.accuracy > 0.9 for one in both)
    assert not any(one.then for one in fit(SEEN, runs=runs[: len(SEEN)], orders=1).choices), "one search alone"


def test_runs_whose_solutions_were_not_kept_are_no_rungs() -> None:
    runs = [Run(problem.id, Beam(n=4), True, 3.0) for problem in SEEN]
    fitted = fit(SEEN[:60], runs=runs, orders=1)
    assert Beam(n=4) in {one.strategy for one in fitted.choices}
    assert model_after(fitted, (Beam(n=4),)) is None
    assert not any(one.family.startswith(SEARCHED) for one in fitted.confidence)


def test_climbs_count_as_the_search_counts() -> None:
    """The evidence after a stage is that of the stage's solutions beside the plain ones."""
    problem, stage = SEEN[0], Run(SEEN[0].id, Beam(n=4), True, 3.0, solutions("stage", True), 9e6)
    for climb in climbs([problem], [stage], 0.5):
        plain = list(problem.samples[: climb.start])
        nodes = nodes_of([*plain, *stage.solutions])
        classes = classes_of(nodes)
        expected = evidence_for(classes, classes[0], len(nodes), 9e6)
        assert dataclasses.asdict(climb.steps[0].state(0).evidence) == pytest.approx(dataclasses.asdict(expected))


def test_unscored_traces_fit_votes_alone() -> None:
    bare = [without_scores(one) for one in SEEN[:50]]
    assert [one.family for one in fit(bare, verifier="def", orders=1).confidence] == ["votes"]


def test_the_file_serves_its_models_only(fitted: Calibration, tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text(calibration_text(fitted))
    assert calibration_for(str(tmp_path), "models/policy@abc", "models/verifier@def") == fitted
    assert calibration_for(str(tmp_path), "models/policy@abc", "models/verifier@other") is None
    assert calibration_for(str(tmp_path / "elsewhere"), "models/policy@abc", None) is None
    (tmp_path / "calibration.json").write_text('{"version": 99, "policy": "", "verifier": "", "score_cost": 1}')
    with pytest.raises(ConfigurationError, match="version 99"):
        read_calibration(tmp_path / "calibration.json")


LINE = {
    "samples": [{"text": "a", "answer": "7", "correct": True, "completion_tokens": 3, "prm_step_scores": [0.1, 0.8]}]
}


def test_traces_are_read_as_they_are(tmp_path: Path) -> None:
    cut = {"text": "b", "answer": "7", "correct": True, "finish": "length"}
    path = tmp_path / "graded.jsonl"
    path.write_text("\n".join([json.dumps({"samples": [*LINE["samples"], cut]})] * 30))
    first = read_traces([path])[0]
    assert [one.answer is None for one in first.samples] == [False, True]
    assert [one.right for one in first.samples] == [True, False]
    assert first.samples[0].score == 0.8


@pytest.mark.parametrize("line", ["nonsense", "{}", '{"samples": []}', '{"samples": [{"answer": "1"}]}', "[1]"])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "graded.jsonl"
    path.write_text(json.dumps(LINE) + "\n" + line)
    with pytest.raises(ConfigurationError, match="line 2"):
        read_traces([path])


def test_too_few_problems_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "graded.jsonl"
    path.write_text(json.dumps(LINE))
    with pytest.raises(InvalidRequest, match="at least 30"):
        read_traces([path])


def test_runs_are_read_and_bad_ones_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    line = {"problem_id": "p", "strategy": {"name": "beam", "n": 4}, "correct": True, "flops": 6.0, "sample_flops": 2.0}
    path.write_text(json.dumps(line))
    assert read_runs([path]) == [Run("p", Beam(n=4), True, 3.0, flops=6.0)]
    path.write_text(json.dumps(line | {"strategy": "unheard-of"}))
    with pytest.raises(ConfigurationError, match="line 1"):
        read_runs([path])


def test_recorded_solutions_answer_no_steps(fitted: Calibration) -> None:
    with pytest.raises(InvalidRequest, match="steps"):
        play(HELD[0], Beam(n=2), fitted)


def test_costs_are_those_of_the_ledger() -> None:
    problem = HELD[0]
    assert play(problem, BestOfN(n=4), None).cost == 4 + sum(one.answer is not None for one in problem.samples[:4])
