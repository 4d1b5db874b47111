"""The fitted confidence by hand-made models, and what holds without one."""

import math
from dataclasses import replace

import pytest

from domain.budget import Budget, Spend
from domain.calibration import Calibration, ConfidenceModel, Logistic, belongs
from domain.codec import decode, decode_event, encode
from domain.events import JobClaimed, JobSubmitted
from domain.moves import Answer, FinishReason, Sample, Sampled
from domain.problem import text_problem
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.verdict import ConfidenceKind, Evidence
from search.confidence import family_of, fitted_confidence
from search.features import FEATURES, probability
from search.replay import Search, begin, fold

LOGISTIC = Logistic(("size",), (0.0,), (1.0,), (1.0,), 0.0)
MODEL = ConfidenceModel("votes", LOGISTIC, (0.5, 1.0), (0.2, 0.8), 100, 7)
CALIBRATION = Calibration("abc", "", 1.0, (MODEL,))
EVIDENCE = Evidence(sampled=3, answered=3, votes=2, rival_votes=1, classes=2)


def with_answers(search: Search, *values: str) -> Search:
    search, moves = search.ask(len(values))
    for move, value in zip(moves, values, strict=True):
        assert isinstance(move, Sample)
        answer = Answer(value, f"q:{value}")
        search = search.tell(Sampled(move.id, value, FinishReason.END, answer, None, Spend()))
    return search


def started() -> Search:
    return begin(JobSubmitted(text_problem("?"), SelfConsistency(n=16), Budget(), None, 1))


def test_the_logistic_is_read_through_the_curve() -> None:
    assert probability(LOGISTIC, EVIDENCE) == pytest.approx(1 / (1 + math.exp(-2)))
    raw = 1 / (1 + math.exp(-2))
    assert fitted_confidence(MODEL, EVIDENCE) == pytest.approx(0.2 + (raw - 0.5) / 0.5 * 0.6)


def test_more_samples_than_were_ever_seen_make_it_no_surer() -> None:
    longest = replace(EVIDENCE, sampled=7)
    assert fitted_confidence(MODEL, replace(EVIDENCE, sampled=700)) == fitted_confidence(MODEL, longest)


def test_a_verdict_says_whether_its_confidence_is_calibrated() -> None:
    search = with_answers(started(), "1", "1", "2")
    assert search.verdict().confidence_kind is ConfidenceKind.AGREEMENT
    assert search.verdict().confidence == pytest.approx(2 / 4)
    fitted = search.claimed(CALIBRATION).verdict()
    assert fitted.confidence_kind is ConfidenceKind.CALIBRATED
    assert fitted.evidence == EVIDENCE
    assert fitted.confidence == pytest.approx(fitted_confidence(MODEL, EVIDENCE))


def test_a_family_without_a_fit_falls_back_to_agreement() -> None:
    scored = Calibration("abc", "", 1.0, (replace(MODEL, family="scored"),))
    verdict = with_answers(started(), "1").claimed(scored).verdict()
    assert verdict.confidence_kind is ConfidenceKind.AGREEMENT


def test_a_trace_replays_with_the_calibration_of_its_first_claim() -> None:
    first = JobSubmitted(text_problem("?"), SelfConsistency(n=4), Budget(), None, 1)
    later = replace(CALIBRATION, policy="other")
    events = [first, JobClaimed("a", 1, "p@abc", None, CALIBRATION), JobClaimed("b", 2, "p@abc", None, later)]
    assert fold(decode_event(encode(event)) for event in events).calibration == CALIBRATION


def test_a_calibration_survives_json() -> None:
    assert decode(Calibration, encode(CALIBRATION)) == CALIBRATION


@pytest.mark.parametrize(
    ("policy", "verifier", "fits"),
    [("models/policy@abc", None, True), ("elsewhere@abc", None, True), ("p@abd", None, False), ("p@abc", "v@1", False)],
)
def test_a_calibration_belongs_to_its_models(policy: str, verifier: str | None, fits: bool) -> None:
    assert belongs(CALIBRATION, policy, verifier) is fits


@pytest.mark.parametrize(
    ("fitted", "policy", "fits"),
    [("abc", "p@abc+1", True), ("abc+1", "p@abc+1", True), ("abc+1", "p@abc+2", False), ("abc+1", "p@abc", False),
     ("abd", "p@abc+1", False)],
)  # fmt: skip
def test_a_reviser_counts_where_it_was_fitted(fitted: str, policy: str, fits: bool) -> None:
    assert belongs(replace(CALIBRATION, policy=fitted), policy, None) is fits


def test_families() -> None:
    scored = replace(EVIDENCE, scored=3)
    assert family_of("self_consistency", EVIDENCE) == "votes"
    assert family_of("best_of_n", scored, BestOfN().selection) == "scored"
    assert family_of("best_of_n", scored, "best") == "best"
    assert family_of("beam", scored) == "beam"


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_is_finite_at_the_edges(name: str) -> None:
    empty = Evidence(0, 0, 0, 0, 0)
    sure = Evidence(9, 9, 9, 0, 1, scored=9, weight=9.0, total_weight=9.0, best=1.0)
    worthless = replace(sure, weight=0.0, total_weight=0.0, best=0.0)
    assert all(math.isfinite(FEATURES[name](one)) for one in (empty, sure, worthless))
