"""Best-of-N by hand-made cases: the numbers are worked out on paper."""

import pytest

from domain.budget import Budget, Spend
from domain.events import JobSubmitted
from domain.moves import Answer, Failed, FailureKind, FinishReason, Sample, Sampled, Scored
from domain.problem import text_problem
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.verdict import Verdict
from search.replay import Search, begin

FREE = Spend()


def started(spec: BestOfN | SelfConsistency) -> Search:
    return begin(JobSubmitted(text_problem("?"), spec, Budget(), None, 1))


def answers(search: Search, *values: str) -> Search:
    """Ask as many samples as there are values and answer them; '-' is a truncated one."""
    search, moves = search.ask(len(values))
    for move, value in zip(moves, values, strict=True):
        assert isinstance(move, Sample)
        finish = FinishReason.LENGTH if value == "-" else FinishReason.END
        answer = None if value == "-" else Answer(value, f"q:{value}")
        search = search.tell(Sampled(move.id, f"step\n\n{value}", finish, answer, None, FREE))
    return search


def scored(search: Search, **scores: tuple[float, ...] | None) -> Search:
    search, moves = search.ask(100)
    for move in moves:
        score = scores[move.id.replace("-", "")]
        failed = Failed(move.id, FailureKind.ENGINE, "down")
        search = search.tell(failed if score is None else Scored(move.id, score, FREE))
    return search


def verdict(selection: str, aggregation: str = "last", **scores: tuple[float, ...] | None) -> Verdict:
    search = started(BestOfN(n=3, selection=selection, aggregation=aggregation))
    return scored(answers(search, "1", "2", "2"), **scores).verdict()


def test_weighted_sums_scores_by_answer() -> None:
    chosen = verdict("weighted", score1=(0.1, 0.7), score2=(0.9, 0.4), score3=(0.9, 0.4))
    assert chosen.answer == "2"
    assert chosen.candidates[0].weight == pytest.approx(0.8 / 1.5)
    assert chosen.confidence == pytest.approx(0.8 / 1.5 * 3 / 4)


def test_best_takes_the_single_best_solution() -> None:
    assert verdict("best", score1=(0.1, 0.7), score2=(0.9, 0.4), score3=(0.9, 0.4)).answer == "1"


@pytest.mark.parametrize(
    ("aggregation", "winner"), [("last", "1"), ("min", "2"), ("product", "2"), ("mean", "2"), ("geometric", "2")]
)
def test_the_aggregation_that_was_asked_for_is_used(aggregation: str, winner: str) -> None:
    chosen = verdict("best", aggregation, score1=(0.1, 0.7), score2=(0.9, 0.6), score3=(0.2, 0.1))
    assert chosen.answer == winner


def test_a_failed_score_is_no_score() -> None:
    chosen = verdict("weighted", score1=(0.2,), score2=None, score3=None)
    assert chosen.answer == "1"
    assert chosen.candidates[0].votes == 1


def test_plain_votes_decide_while_nothing_is_scored() -> None:
    assert verdict("weighted", score1=None, score2=None, score3=None).answer == "2"


def test_zero_scores_still_give_a_verdict() -> None:
    chosen = verdict("weighted", score1=(0.0,), score2=(0.0,), score3=(0.0,))
    assert chosen.answer == "2"
    assert chosen.confidence <= 2 / 4


def test_truncated_solutions_are_not_scored_and_count_against_confidence() -> None:
    search = answers(started(BestOfN(n=3)), "-", "5", "-")
    search, moves = search.ask(10)
    assert [move.id for move in moves] == ["score-2"]
    search = search.tell(Scored("score-2", (0.9,), FREE))
    assert search.verdict().confidence == pytest.approx(1 / 4)


def test_scores_are_asked_before_more_samples() -> None:
    search = answers(started(BestOfN(n=4)), "1", "2")
    _, moves = search.ask(3)
    assert [move.id for move in moves] == ["score-1", "score-2", "sample-3"]


@pytest.mark.parametrize(("votes", "confidence"), [(1, 0.5), (3, 0.75), (9, 0.9)])
def test_unanimous_votes_grow_sure_slowly(votes: int, confidence: float) -> None:
    search = answers(started(SelfConsistency(n=16)), *["7"] * votes)
    assert search.verdict().confidence == pytest.approx(confidence)


def test_equivalent_answers_vote_together() -> None:
    search, moves = started(SelfConsistency(n=3)).ask(3)
    texts = [("0.5", "q:1/2", ()), ("x", "t:x", ()), ("y", "t:y", ("t:x",))]
    for move, (text, key, same) in zip(moves, texts, strict=True):
        sampled = Sampled(move.id, text, FinishReason.END, Answer(text, key), None, FREE, same)
        search = search.tell(sampled)
    assert search.verdict().answer == "x"
    assert search.verdict().candidates[0].votes == 2


def test_equal_solutions_are_scored_once_and_share_the_score() -> None:
    search = answers(started(BestOfN(n=4)), "1", "2", "2", "2")
    search, moves = search.ask(10)
    assert [move.id for move in moves] == ["score-1", "score-2"]
    for move, score in zip(moves, (0.9, 0.4), strict=True):
        search = search.tell(Scored(move.id, (score,), FREE))
    assert search.ask(10)[1] == ()
    assert search.verdict().answer == "2"
    assert search.verdict().candidates[0].votes == 3
