"""The self-deciding strategies, by hand-made fits: the laws hold with a calibration, and decisions are right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import strategies as st

import tests.search.laws as laws
from domain.budget import Budget, Spend
from domain.calibration import ActionValue, Calibration, needed_by
from domain.codec import decode, encode
from domain.effort import DEFAULT_EFFORT, EFFORTS, adaptive_for
from domain.errors import InvalidRequest
from domain.events import JobClaimed, JobSubmitted
from domain.moves import Answer, FinishReason, Move, Sample, Sampled, Score, Scored
from domain.problem import text_problem
from domain.recipe import StrategySpec, parse_strategy, spec_to_json
from domain.specs.adaptive import Adaptive, ComputeOptimal
from domain.specs.tree import Beam
from domain.verdict import ConfidenceKind
from search.adaptive import RISE, exploited
from search.controller import Action, Situation, next_action
from search.replay import Search, begin, fold
from search.standing import Standing
from tests.search.laws import StrategyLaws
from tests.support.calibration import hand_made
from tests.support.searching import played, scripted

STEPS = Beam(n=3, width=3, max_steps=3)


@pytest.fixture
def _claimed(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Every search of the laws is claimed with the calibration of its class, and its log says so."""
    fitted: Calibration = request.cls.calibration
    claim = JobClaimed("here", 1, "policy@abc", None, fitted)
    monkeypatch.setattr(laws, "begin", lambda first: begin(first).claimed(fitted))
    monkeypatch.setattr(laws, "fold", lambda events: _fold_claimed(list(events), claim))


def _fold_claimed(events: list[object], claim: JobClaimed) -> Search:
    return fold([events[0], claim, *events[1:]])  # type: ignore[list-item]


@pytest.mark.usefixtures("_claimed")
class TestFittedAdaptive(StrategyLaws):
    calibration = hand_made(STEPS)
    specs = st.builds(Adaptive, n=st.integers(1, 20), probe=st.integers(0, 5), price=st.sampled_from([0.0, 0.01, 1.0]))

    def may_continue(self, move: Sample, ended: Mapping[int, str]) -> bool:
        return ended[move.parent] == "stop"


@pytest.mark.usefixtures("_claimed")
class TestFittedComputeOptimal(StrategyLaws):
    calibration = hand_made()
    specs = st.builds(ComputeOptimal, n=st.integers(1, 20))


def started(spec: Adaptive | ComputeOptimal, calibration: Calibration | None, target: float | None = None) -> Search:
    return begin(JobSubmitted(text_problem("?"), spec, Budget(), target, 1)).claimed(calibration)


def sampled(move: Move, value: str) -> Sampled:
    return Sampled(move.id, value, FinishReason.END, Answer(value, f"q:{value}"), None, Spend())


def answered(
    search: Search, values: dict[int, str], scores: dict[str, float] | None = None
) -> tuple[Search, list[Move]]:
    """Answer everything that is asked until nothing is; nodes without a value say "x"."""
    asked: list[Move] = []
    while True:
        search, moves = search.ask(8)
        if not moves:
            return search, asked
        asked += moves
        for move in moves:
            if isinstance(move, Score):
                search = search.tell(Scored(move.id, ((scores or {})[move.solution],), Spend()))
            else:
                search = search.tell(sampled(move, values.get(move.node, "x")))


def kinds(moves: list[Move]) -> tuple[int, int]:
    """Samples and scores."""
    return sum(isinstance(move, Sample) for move in moves), sum(isinstance(move, Score) for move in moves)


def test_agreement_that_settles_it_is_not_verified() -> None:
    """Four of four: the fitted chance is above 0.9, where no action gains anything."""
    search, moves = answered(started(Adaptive(probe=4, n=64), hand_made()), {})
    assert kinds(moves) == (4, 0)
    assert search.verdict().confidence_kind is ConfidenceKind.CALIBRATED


def test_disagreement_is_verified_and_equal_texts_once() -> None:
    spec = Adaptive(probe=4, n=4)
    search, moves = answered(started(spec, hand_made()), {1: "a", 2: "a", 3: "b", 4: "b"}, {"a": 0.2, "b": 0.99})
    assert kinds(moves) == (4, 2)
    assert search.verdict().answer == "b"


def test_growth_stops_at_n_and_at_the_price() -> None:
    values = {at: f"w{at % 5}" for at in range(1, 33)}
    unsure = {f"w{at}": 0.3 for at in range(5)}
    assert kinds(answered(started(Adaptive(probe=4, n=16, price=0.0), hand_made()), values, unsure)[1])[0] == 16
    assert kinds(answered(started(Adaptive(probe=4, n=16, price=0.01), hand_made()), values, unsure)[1])[0] == 8
    assert kinds(answered(started(Adaptive(probe=4, n=16, price=0.5), hand_made()), values, unsure)[1]) == (4, 0)


def test_the_targets_certainty_ends_it() -> None:
    values = {1: "a", 2: "a", 3: "a", 4: "b"}
    assert kinds(answered(started(Adaptive(probe=4, n=8), hand_made(), target=0.6), values)[1]) == (4, 0)


def test_a_half_verified_search_is_judged_by_votes() -> None:
    search, moves = started(Adaptive(probe=4, n=4), hand_made()).ask(8)
    for move, value in zip(moves, "aabb", strict=True):
        search = search.tell(sampled(move, value))
    before = search.verdict()
    search, moves = search.ask(8)
    half = search.tell(Scored(moves[0].id, (0.99,), Spend()))
    assert half.verdict().confidence == before.confidence
    assert half.tell(Scored(moves[1].id, (0.1,), Spend())).verdict().confidence > before.confidence


def test_a_search_over_steps_is_a_stage_with_names_of_its_own() -> None:
    spec = Adaptive(probe=4, n=4)
    search, seen = started(spec, hand_made(STEPS)), []
    values = iter(["a", "a", "b", "b"])
    for _ in range(6):
        search, moves = search.ask(8)
        seen += moves
        for move in moves:
            if isinstance(move, Score):
                search = search.tell(Scored(move.id, tuple([0.4] * (1 + move.solution.count("\n\n"))), Spend()))
            elif move.stop:
                search = search.tell(sampled(move, "c"))
            else:
                search = search.tell(sampled(move, next(values)))
    staged = [move for move in seen if move.id.startswith("stage-")]
    assert staged
    assert min(move.node for move in staged) > spec.n
    assert {one.answer for one in search.verdict().candidates} == {"a", "b", "c"}


def climbed(ladder: tuple[StrategySpec, ...], score: float) -> tuple[Search, list[Move]]:
    """A search whose plain solutions all differ, and whose every step is a solution "c" with this score."""
    search, seen = started(Adaptive(probe=4, n=16), hand_made(*ladder)), []
    while True:
        search, moves = search.ask(8)
        if not moves:
            return search, seen
        seen += moves
        for move in moves:
            if isinstance(move, Score):
                search = search.tell(Scored(move.id, (score if move.solution == "c" else 0.1,), Spend()))
            else:
                search = search.tell(sampled(move, "c" if move.stop else f"w{move.node}"))


def test_stages_follow_each_other_while_it_is_unsure() -> None:
    ladder = (Beam(n=3, width=3), Beam(n=6, width=6))
    unsure, asked = climbed(ladder, 0.5)
    samples = [move for move in asked if isinstance(move, Sample) and move.stop]
    assert len(samples) == 3 + 6
    assert len({move.id for move in asked}) == len(asked)
    assert len({move.node for move in samples}) == 9
    assert len({move.seed for move in samples}) == 9
    evidence = unsure.verdict().evidence
    assert evidence is not None
    assert evidence.sampled == 4 + 9
    assert evidence.votes == 9
    sure, asked = climbed(ladder, 0.99)
    assert sum(isinstance(move, Sample) and bool(move.stop) for move in asked) == 3
    assert sure.verdict().answer == "c"


def test_no_stage_is_larger_than_n() -> None:
    ladder = (Beam(n=3, width=3), Beam(n=17, width=17))
    _, asked = climbed(ladder, 0.5)
    assert sum(isinstance(move, Sample) and bool(move.stop) for move in asked) == 3


def test_without_a_fit_it_grows_while_it_disagrees() -> None:
    values = {at: "ab"[at % 2] for at in range(1, 17)}
    search, moves = answered(started(Adaptive(probe=4, n=16), None), values, {"a": 0.5, "b": 0.5})
    assert kinds(moves) == (16, 2)
    assert search.verdict().confidence_kind is ConfidenceKind.AGREEMENT
    assert kinds(answered(started(Adaptive(probe=4, n=16), None), {})[1]) == (4, 0)


def test_the_guard_trips_when_scores_rise_and_agreement_falls() -> None:
    before, base = (0.5, 0.3), Standing(answered(started(Adaptive(), None), {})[0].verdict(), scored=True)

    def now(best: float, share: float, top: float) -> Standing:
        return Standing(base.verdict, best, share, True, top)

    assert exploited(before, now(0.5 + RISE, 0.04, 0.41))
    assert not exploited(before, now(0.5, 0.04, 0.41))
    assert not exploited(before, now(0.9, 0.3, 0.95))
    assert not exploited(before, now(0.9, 0.2, 0.4))
    assert not exploited(None, now(0.9, 0.1, 0.4))


def test_a_hard_probe_leads_to_what_is_best_there() -> None:
    easy, moves = answered(started(ComputeOptimal(n=4), hand_made()), {}, {"x": 0.9})
    assert kinds(moves) == (3, 1)
    hard = {1: "a", 2: "b", 3: "c"}
    scores = {"a": 0.1, "b": 0.2, "c": 0.3, "x": 0.9}
    search, moves = answered(started(ComputeOptimal(n=4), hand_made()), hard, scores)
    assert kinds(moves) == (5, 4)
    assert search.verdict().answer == "x"


def test_a_larger_budget_leads_to_a_search_over_steps() -> None:
    search = started(ComputeOptimal(n=8), hand_made())
    search, moves = search.ask(8)
    for move, value in zip(moves, "abc", strict=True):
        search = search.tell(sampled(move, value))
    search, moves = search.ask(8)
    for move in moves:
        search = search.tell(Scored(move.id, (0.1,), Spend()))
    _, moves = search.ask(8)
    assert [move.stop for move in moves if isinstance(move, Sample)] == [("\n\n",)] * 3


def test_searches_follow_one_another_and_all_their_solutions_are_counted() -> None:
    search, moves = answered(
        started(ComputeOptimal(n=12), hand_made()), {1: "a", 2: "b", 3: "c"}, dict.fromkeys("abcx", 0.3)
    )
    stages = list(dict.fromkeys(move.id.split("-")[1] for move in moves if move.id.startswith("stage-")))
    assert stages == ["3", "6", "8"], "a probe of three, then a beam of three and one of two, and two more"
    first = next(at for at, move in enumerate(moves) if move.id.startswith("stage-6-"))
    assert not any(move.id.startswith("stage-3-") for move in moves[first:]), "the first one is over by then"
    evidence = search.verdict().evidence
    assert evidence is not None
    assert (evidence.sampled, evidence.votes) == (9, 6)
    assert search.verdict().confidence_kind is ConfidenceKind.CALIBRATED


def test_asked_for_certainty_it_is_more_patient() -> None:
    actions = hand_made().actions
    base = {"samples": 8, "scored": True, "confidence": 0.5, "most": 64, "price": 0.05}
    flags = {"can_score": False, "can_search": False}
    assert next_action(Situation(**base, target=None, **flags), actions) is None  # type: ignore[arg-type]
    assert next_action(Situation(**base, target=0.9, **flags), actions) == Action(16, True)  # type: ignore[arg-type]


def test_a_trace_carries_only_what_its_strategy_uses() -> None:
    fitted = hand_made()
    assert needed_by(fitted, "adaptive").choices == ()
    assert needed_by(fitted, "compute_optimal").actions is None
    assert needed_by(fitted, "best_of_n").confidence == fitted.confidence
    assert decode(Calibration, encode(fitted)) == fitted


def test_efforts_grow() -> None:
    for low, high in pairwise([adaptive_for(name) for name in EFFORTS]):
        assert low.n <= high.n
        assert low.price >= high.price
        assert low.confidence <= high.confidence
    assert all(parse_strategy(spec_to_json(adaptive_for(name))) == adaptive_for(name) for name in EFFORTS)
    assert adaptive_for(DEFAULT_EFFORT) == Adaptive()
    with pytest.raises(InvalidRequest, match="effort"):
        adaptive_for("extreme")


@pytest.mark.parametrize("spec", [Adaptive(probe=4), ComputeOptimal(n=8)])
def test_only_the_first_solution_is_greedy(spec: Adaptive | ComputeOptimal) -> None:
    _, moves = started(spec, hand_made()).ask(4)
    first, *others = [move.temperature for move in moves if isinstance(move, Sample)]
    assert first == 0.0
    assert set(others) == {0.8}


def test_a_search_over_steps_keeps_the_temperature_that_was_fitted() -> None:
    spec, steps = Adaptive(probe=4, n=16, price=0.0, temperature=1.0), replace(STEPS, temperature=0.4)
    values = {1: "a", 2: "b", 3: "c", 4: "d"}
    _, moves = answered(started(spec, hand_made(steps)), values, dict.fromkeys("abcdx", 0.3))
    assert {move.temperature for move in moves if isinstance(move, Sample) and move.stop} == {0.4}


def test_a_search_may_begin_with_steps() -> None:
    """Where the fit says so; the plain solution of the cheaper beginning is then never asked for."""
    fitted = hand_made()
    assert fitted.actions is not None
    one = ActionValue("sample", 0, False, 1, (0.3, 0.0), (1.0, 1.0))
    steps = ActionValue("search", 0, False, 0, (0.6, 0.0), (4.0, 4.0), STEPS, 0, 1)
    fitted = replace(fitted, actions=replace(fitted.actions, values=(*fitted.actions.values, one, steps)))
    search, moves = answered(started(Adaptive(n=16, price=0.01), fitted), {}, {"x": 0.9})
    assert all(move.id.startswith("stage-") for move in moves)
    assert search.verdict().confidence_kind is ConfidenceKind.CALIBRATED
    _, moves = answered(started(Adaptive(n=16, price=0.2), fitted), {}, {"x": 0.9})
    assert kinds(moves) == (1, 0)


def test_without_a_fitted_beginning_it_begins_with_one_solution() -> None:
    _, moves = started(Adaptive(n=16), hand_made()).ask(8)
    assert kinds(list(moves)) == (1, 0)


def test_with_nothing_to_return_it_samples_a_few_more() -> None:
    cut_off = scripted(dict.fromkeys(range(1, 9), "-"), {})
    search, moves = played(started(Adaptive(n=16, price=1.0), hand_made()), cut_off)
    assert kinds(moves) == (4, 0)
    assert search.verdict().answer is None
    assert kinds(played(started(Adaptive(n=2, price=1.0), hand_made()), cut_off)[1]) == (2, 0)
    assert kinds(played(started(adaptive_for("none"), hand_made()), cut_off)[1]) == (1, 0)


def test_the_least_effort_is_one_solution() -> None:
    _, moves = answered(started(adaptive_for("none"), hand_made()), {})
    assert kinds(moves) == (1, 0)


def half_run(spec: Adaptive | ComputeOptimal, calibration: Calibration) -> Search:
    """Where the first solutions of a search over steps have come back, and they are all the same and well scored."""
    search = started(spec, calibration)
    while True:
        search, moves = search.ask(1)
        (move,) = moves
        if isinstance(move, Score):
            search = search.tell(Scored(move.id, (0.999,) if move.id.startswith("stage-") else (0.3,), Spend()))
            if move.id.startswith("stage-"):
                return search
        else:
            search = search.tell(sampled(move, "x" if move.stop else f"w{move.node}"))


@pytest.mark.parametrize("spec", [Adaptive(probe=4, n=16, price=0.0), ComputeOptimal(n=8)])
def test_a_search_over_steps_makes_sure_when_it_is_over(spec: Adaptive | ComputeOptimal) -> None:
    search = half_run(spec, hand_made(STEPS))
    half = search.verdict()
    assert half.answer is not None
    assert half.confidence == 0.0
    whole, _ = answered(search, {}, {"x": 0.999})
    assert whole.verdict().confidence > half.confidence
    assert whole.verdict().confidence_kind is ConfidenceKind.CALIBRATED
