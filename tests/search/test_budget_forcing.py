"""Budget forcing by scripted traces."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import pytest

from domain.budget import Spend
from domain.moves import Answer, FinishReason, Move, Outcome, Sample, Sampled
from domain.specs.sequential import BudgetForcing
from search.budget_forcing import _digested
from search.replay import Search
from search.thinking import FORCED, WAIT, Trace
from tests.support.searching import failed, played, samples_in, started

CHUNK = 10
FULL, MARK, END = FinishReason.LENGTH, FinishReason.STOP, FinishReason.END
CLOSED = "\n</think>" + FORCED
PLAIN = {"n": 1, "waits": 0, "probes": 0, "chunk_tokens": CHUNK, "keep": 1.0}

Said = tuple[str, FinishReason] | tuple[str, FinishReason, float]


def spec(**changes: object) -> BudgetForcing:
    return BudgetForcing(**(PLAIN | changes))  # type: ignore[arg-type]


def said(move: Sample, text: str, finish: FinishReason, mean: float | None = None) -> Sampled:
    """A chunk of `CHUNK` tokens; an END has its text's last word as its answer, unless that is "nothing"."""
    word = text.split()[-1]
    answer = Answer(word, f"q:{word}") if finish is END and word != "nothing" else None
    return Sampled(move.id, text, finish, answer, None if mean is None else mean * CHUNK, Spend(generated_tokens=CHUNK))


def script(*lines: Said) -> Callable[[Move], Outcome]:
    """One trace: what it says, in order."""
    left = list(lines)

    def world(move: Move) -> Outcome:
        assert isinstance(move, Sample)
        return said(move, *left.pop(0))

    return world


def prefixes(moves: Sequence[Move]) -> list[str]:
    return [move.prefix for move in samples_in(moves)]


def test_thinking_in_chunks_then_the_answer() -> None:
    world = script(("One. ", FULL), ("Two.", MARK), ("So 7", END))
    search, moves = played(started(spec()), world)
    assert prefixes(moves) == ["", "One. ", "One. Two.</think>\n\n"]
    assert [move.stop for move in samples_in(moves)] == [("</think>",), ("</think>",), ()]
    assert [move.max_tokens for move in samples_in(moves)] == [CHUNK, CHUNK, 512]
    assert [move.parent for move in samples_in(moves)] == [0, 1, 2]
    assert search.verdict().answer == "7"
    assert search.verdict().solution == "One. Two.</think>\n\nSo 7"


@pytest.mark.parametrize("waits", [0, 1, 3])
def test_it_waits_as_often_as_it_may(waits: int) -> None:
    world = script(*[("Done.", MARK)] * (waits + 1), ("7", END))
    _, moves = played(started(spec(waits=waits)), world)
    thinking = ("Done." + WAIT) * waits + "Done."
    assert prefixes(moves)[-1] == thinking + "</think>\n\n"
    assert len(moves) == waits + 2


def test_an_end_of_sequence_is_never_gone_beyond() -> None:
    search, moves = played(started(spec(waits=5, probes=2)), script(("It is 7", END)))
    assert len(moves) == 1
    assert search.verdict().answer == "7"
    search, moves = played(started(spec(waits=5, probes=2)), script(("I know nothing", END)))
    assert len(moves) == 1
    assert search.verdict().answer is None


def test_the_cap_closes_the_thinking_and_forces_an_answer() -> None:
    world = script(("a ", FULL), ("b ", FULL), ("c ", FULL), ("7", END))
    search, moves = played(started(spec(thinking_tokens=25, waits=9)), world)
    assert [move.max_tokens for move in samples_in(moves)] == [10, 10, 5, 512]
    assert prefixes(moves)[-1] == "a b c " + CLOSED
    assert search.verdict().solution == "a b c " + CLOSED + "7"


def test_no_waiting_beyond_the_cap() -> None:
    _, moves = played(started(spec(thinking_tokens=10, waits=9)), script(("a", MARK), ("7", END)))
    assert prefixes(moves) == ["", "a</think>\n\n"]


def test_a_cut_answer_is_no_answer() -> None:
    search, _ = played(started(spec()), script(("a", MARK), ("The answer", FULL)))
    assert search.verdict().answer is None


def test_equal_probes_in_a_row_end_a_trace() -> None:
    world = script(("a ", FULL), ("6", END), ("b ", FULL), ("7", END), ("c ", FULL), ("7", END))
    search, moves = played(started(spec(probes=2)), world)
    assert prefixes(moves) == ["", "a " + CLOSED, "a ", "a b " + CLOSED, "a b ", "a b c " + CLOSED]
    probes = samples_in(moves)[1::2]
    assert all(move.temperature == 0.0 and move.max_tokens == 32 and not move.stop for move in probes)
    assert search.verdict().answer == "7"
    assert search.verdict().solution == "a b c " + CLOSED + "7"
    assert search.verdict().candidates[0].votes == 1  # its probes are no votes


@pytest.mark.parametrize("between", [("8", END), ("nothing", END), ("7 or", FULL)])
def test_another_answer_or_none_starts_the_row_again(between: Said) -> None:
    world = script(("a ", FULL), ("7", END), ("b ", FULL), between, ("c ", FULL), ("7", END), ("d ", FULL), ("7", END))
    _, moves = played(started(spec(probes=2)), world)
    assert len(moves) == 8


def test_equivalent_answers_are_one_to_the_probes() -> None:
    def world(move: Move) -> Outcome:
        assert isinstance(move, Sample)
        if move.stop:
            return said(move, "a ", FULL)
        text, same = ("1/2", ()) if move.node == 2 else ("0.5", ("q:1/2",))
        return Sampled(move.id, text, END, Answer(text, f"q:{text}"), None, Spend(generated_tokens=1), same)

    _, moves = played(started(spec(probes=2)), world)
    assert len(moves) == 4


def test_a_failed_probe_is_forgotten_and_a_failed_chunk_ends_its_trace() -> None:
    def world(move: Move) -> Outcome:
        assert isinstance(move, Sample)
        return said(move, "a ", FULL) if move.stop and move.node < 5 else failed(move)

    search, moves = played(started(spec(probes=2)), world)
    assert prefixes(moves) == ["", "a " + CLOSED, "a ", "a a " + CLOSED, "a a "]
    assert search.verdict().confidence == 0.0


def traced(traces: Mapping[int, Sequence[Said]]) -> Callable[[Move], Outcome]:
    """Several traces of two calls: what trace `i` says begins with its number."""
    begun = iter(sorted(traces))

    def world(move: Move) -> Outcome:
        assert isinstance(move, Sample)
        if not move.prefix:
            return said(move, *traces[next(begun)][0])
        return said(move, *traces[int(move.prefix[0])][1])

    return world


def traces_of(search: Search) -> tuple[Trace, ...]:
    """As they are when the latest news are taken in."""
    traces: tuple[Trace, ...] = _digested(search.state).traces
    return traces


CERTAIN = {
    0: [("0 ", FULL, -0.2), ("0 a", END, -0.1)],
    1: [("1 ", FULL, -0.5), ("1 b", END, -0.1)],
    2: [("2 ", FULL, -0.6), ("2 a", END, -0.1)],
    3: [("3 ", FULL, -0.4), ("3 b", END, -0.1)],
}
"""The first two are the warm-up: their least certain chunks have means of -0.2 and -0.5."""


def test_uncertain_traces_are_given_up_after_the_warm_up() -> None:
    search, moves = played(started(spec(n=4, warmup=2, keep=0.9)), traced(CERTAIN))
    assert search.state.floor == -0.5
    assert [trace.given_up for trace in traces_of(search)] == [False, False, True, False]
    assert len(moves) == 7
    first = search.verdict().candidates
    assert {one.answer: one.votes for one in first} == {"a": 1, "b": 2}
    assert search.verdict().confidence == pytest.approx(first[0].weight * 3 / 5)  # the one given up counts against it


def test_keeping_fewer_gives_up_more() -> None:
    search, _ = played(started(spec(n=4, warmup=2, keep=0.1)), traced(CERTAIN))
    assert search.state.floor == -0.2
    assert [trace.given_up for trace in traces_of(search)] == [False, False, True, True]


def test_traces_wait_for_the_warm_up() -> None:
    search, moves = started(spec(n=4, warmup=2, keep=0.9)).ask(9)
    assert len(moves) == 2
    assert len(started(spec(n=4, warmup=2, keep=1.0)).ask(9)[1]) == 4


def test_votes_are_weighted_by_the_least_certain_chunk() -> None:
    search, _ = played(started(spec(n=4)), traced(CERTAIN))
    weights = {one.answer: one.weight for one in search.verdict().candidates}
    a, b = math.exp(-0.2) + math.exp(-0.6), math.exp(-0.5) + math.exp(-0.4)
    assert weights == pytest.approx({"a": a / (a + b), "b": b / (a + b)})
    search, _ = played(started(spec(n=4, selection="majority")), traced(CERTAIN))
    assert [one.weight for one in search.verdict().candidates] == [0.5, 0.5]


def test_without_log_probabilities_votes_are_plain_and_nothing_is_given_up() -> None:
    silent = {trace: [(line[0], line[1]) for line in lines] for trace, lines in CERTAIN.items()}
    search, _ = played(started(spec(n=4, warmup=2, keep=0.1)), traced(silent))
    assert not any(trace.given_up for trace in traces_of(search))
    assert [one.weight for one in search.verdict().candidates] == [0.5, 0.5]


def test_seeds_do_not_depend_on_which_trace_is_faster() -> None:
    """Three traces of two calls, in many orders: the same traces, but for the numbers of their nodes."""

    def world(move: Move) -> Outcome:
        assert isinstance(move, Sample)
        return said(move, f"{move.seed} ", FULL) if not move.prefix else said(move, f"{move.seed}", END)

    ends = set()
    for choices in itertools.product(range(3), repeat=4):
        search, pending, at = started(spec(n=3)), [], itertools.cycle(choices)
        while True:
            search, moves = search.ask(2)
            pending += moves
            if not pending:
                break
            search = search.tell(world(pending.pop(next(at) % len(pending))))
        ends.add(_solutions(search))
    assert len(ends) == 1


def _solutions(search: Search) -> tuple[str, ...]:
    nodes = _digested(search.state).nodes
    return tuple(nodes[trace.solution - 1].text for trace in traces_of(search))
