"""The live picture: folding a search's events gives its counters and its tree."""

import io

import pytest
from rich.console import Console

from cli.view.branches import MOST_LINES
from cli.view.live import picture, print_result, result_rows
from cli.view.search import SearchView
from domain.budget import Budget, Spend
from domain.codec import encode
from domain.events import IssuedMove, JobClaimed, JobReleased, JobStopped, JobSubmitted, MoveSettled, MovesIssued
from domain.job import JobStatus
from domain.moves import Answer, Failed, FailureKind, FinishReason, Outcome, Sampled, Scored
from domain.problem import text_problem
from domain.specs.parallel import BestOfN
from domain.specs.tree import Beam
from domain.verdict import StopReason, Verdict


def sampled(number: int, answer: str | None, finish: FinishReason = FinishReason.END) -> Sampled:
    value = None if answer is None else Answer(answer, answer)
    return Sampled(f"sample-{number}", "text", finish, value, -1.0, Spend(generated_tokens=10))


OUTCOMES: tuple[Outcome, ...] = (
    sampled(1, "12"),
    sampled(2, "12"),
    sampled(3, "7"),
    sampled(4, None, FinishReason.LENGTH),
    sampled(5, None),
    Failed("sample-6", FailureKind.ENGINE, "gone"),
    Scored("score-1", (0.5, 0.9), Spend(verified_tokens=5)),
)


@pytest.fixture
def view() -> SearchView:
    """A best-of-8 search with seven moves done and two samples in flight."""
    made = SearchView()
    samples = tuple(IssuedMove(f"sample-{n}", "sample", n, 0, n, 100) for n in range(1, 9))
    events = (
        JobSubmitted(text_problem("What is 3 * 4?"), BestOfN(n=8), Budget(), None, 1),
        JobClaimed("here", 1, "policy", "verifier"),
        MovesIssued(9, (*samples, IssuedMove("score-1", "score", 1, 0, 1, 0))),
        *(MoveSettled(f"key-{index}", outcome) for index, outcome in enumerate(OUTCOMES)),
    )
    for event in events:
        made.see(encode(event))
    return made


def shown(view: SearchView) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(picture(view))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def stop(view: SearchView) -> None:
    verdict = Verdict("12", 0.8, "text", "most", ())
    view.see(encode(JobStopped(JobStatus.COMPLETED, StopReason.COMPLETE, verdict, Spend())))


def test_counters_follow_the_events(view: SearchView) -> None:
    assert (view.settled, view.failed, view.in_flight) == (7, 1, 2)
    assert (view.generated_tokens, view.verified_tokens) == (50, 5)
    assert view.expected == 16
    assert view.status == "in_progress"


def test_answers_are_grouped_most_first_with_their_scores(view: SearchView) -> None:
    (first, twelve), (second, seven) = view.answers()
    assert (first, len(twelve), second, len(seven)) == ("12", 2, "7", 1)
    assert [rollout.score for rollout in twelve] == [0.9, None]
    assert [view.rollouts[node].state for node in range(1, 9)] == [
        "scored", "sampled", "sampled", "cut", "no answer", "failed", "sampling", "sampling",
    ]  # fmt: skip


def test_the_picture_shows_answers_and_what_has_none(view: SearchView) -> None:
    text = shown(view)
    assert "What is 3 * 4?" in text
    assert "12  2×" in text
    assert "node 1: 10 tokens, score 0.90" in text
    assert "sampling  2×" in text
    assert "best_of_n: in_progress · 7 moves done · 2 in flight" in text


def test_an_ended_search_is_over_and_a_resumed_one_says_so(view: SearchView) -> None:
    view.see(encode(JobReleased("here", 1)))
    assert view.status == "queued"
    view.see(encode(JobClaimed("there", 2, "policy", "verifier")))
    stop(view)
    assert view.over
    assert view.status == "completed"
    assert "resumed 1×" in shown(view)


def test_an_event_of_a_later_version_is_passed_over(view: SearchView) -> None:
    before = shown(view).splitlines()[1:]
    view.see({"type": "something_new", "seq": 99})
    assert shown(view).splitlines()[1:] == before


def test_text_of_a_model_is_never_read_as_markup() -> None:
    made = SearchView()
    made.see(encode(JobSubmitted(text_problem("[red]not red[/red] [/]"), BestOfN(n=1), Budget(), None, 1)))
    made.see(encode(MovesIssued(1, (IssuedMove("sample-1", "sample", 1, 0, 1, 9),))))
    made.see(encode(MoveSettled("k", sampled(1, "[bold]1[/]"))))
    assert "[red]not red[/red] [/]" in shown(made)
    assert "[bold]1[/]" in shown(made)


def test_a_result_without_an_answer_shows_why(capsys: pytest.CaptureFixture[str]) -> None:
    job = {
        "status": "failed", "answer": None, "confidence": None, "stop_reason": "engine_failed", "why": None,
        "usage": {"generated_tokens": 3, "seconds": 1.5, "queue_seconds": 0.25},
        "error": {"code": "engine_failed", "message": "every call failed"},
    }  # fmt: skip
    rows = dict(result_rows(job))
    assert rows["answer"] == rows["confidence"] == "–"
    assert rows["error"] == "every call failed"
    assert rows["queued"] == "0.25 s"
    print_result(Console(), job)
    assert "every call failed" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["agreement", "calibrated"])
def test_a_confidence_says_what_kind_it_is(kind: str) -> None:
    job = {"status": "completed", "answer": "7", "confidence": 0.8125, "confidence_kind": kind}
    assert dict(result_rows(job))["confidence"] == f"0.812 ({kind})"


def test_a_search_that_grows_shows_how_it_grew() -> None:
    """Steps below what they continue: first what was gone on from, then the best; the rest is counted."""
    made = SearchView()
    made.see(encode(JobSubmitted(text_problem("?"), Beam(n=6), Budget(), None, 1)))
    parents = {1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 2, 8: 2}
    issued = tuple(IssuedMove(f"sample-{node}", "sample", node, parent, 1, 9) for node, parent in parents.items())
    scores = tuple(IssuedMove(f"score-{node}", "score", node, node, 1, 0) for node in (1, 2, 3))
    made.see(encode(MovesIssued(11, issued + scores)))
    outcomes: list[Outcome] = [sampled(node, None, FinishReason.STOP) for node in range(1, 7)]
    outcomes += [Scored(f"score-{node}", (node / 10,), Spend()) for node in (1, 2, 3)]
    outcomes += [sampled(7, "12"), sampled(8, None, FinishReason.LENGTH)]
    for outcome in outcomes:
        made.see(encode(MoveSettled("k", outcome)))
    lines = [line.strip("│├└─ ") for line in shown(made).splitlines()]
    start = lines.index("how it grew")
    assert lines[start + 1 : start + 8] == [
        "node 2: scored, 10 tokens, score 0.20",
        "node 7: sampled, 10 tokens → 12",
        "node 8: cut, 10 tokens",
        "node 3: scored, 10 tokens, score 0.30",
        "node 1: scored, 10 tokens, score 0.10",
        "node 4: step, 10 tokens",
        "… 2 more",
    ]
    assert made.expected is None, "nobody knows how many moves it will make"


def test_the_picture_of_a_large_tree_stays_small() -> None:
    made = SearchView()
    made.see(encode(JobSubmitted(text_problem("?"), Beam(n=6), Budget(), None, 1)))
    chain = tuple(IssuedMove(f"sample-{node}", "sample", node, (node - 1) // 2, 1, 9) for node in range(1, 400))
    made.see(encode(MovesIssued(400, chain)))
    assert len(shown(made).splitlines()) < MOST_LINES + 30
