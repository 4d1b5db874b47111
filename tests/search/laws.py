"""The three laws, as a suite that every strategy inherits.

A subclass gives `specs` (a hypothesis strategy of specs). The world below answers moves as engines would, fixed by the
move's seed: with failures, truncations, wrong answers and equivalent spellings.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.budget import Budget, Spend
from domain.codec import decode_event, encode
from domain.events import JobSubmitted, MoveSettled, MovesIssued
from domain.moves import (
    ROOT,
    STEP_SEPARATOR,
    Answer,
    Failed,
    FailureKind,
    FinishReason,
    Move,
    Outcome,
    Sample,
    Sampled,
    Scored,
    split_steps,
)
from domain.problem import text_problem
from search.replay import Search, begin, fold, issued
from search.strategy import UnknownMove

STEPS = ("Think.", "Think.", "Add.", "Multiply.", " ")
"""What a policy says that is asked for one step: few different things, so that equal ones meet."""

LAW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def answer_of(move: Move, world: int) -> Outcome:
    """What the engines of this `world` say to a move."""
    rng = random.Random(f"{world}/{move.id}/{move.seed}")
    if rng.random() < 0.1:
        return Failed(move.id, FailureKind.ENGINE, "down", Spend())
    if isinstance(move, Sample):
        return _sampled(move, rng)
    steps = split_steps(move.solution)
    return Scored(move.id, tuple(rng.random() for _ in steps), Spend(verified_tokens=7, flops=3.0, verifier_calls=1))


def _sampled(move: Sample, rng: random.Random) -> Sampled:
    cost = Spend(prompt_tokens=5, generated_tokens=9, flops=28.0, rollouts=1)
    if rng.random() < 0.1:
        return Sampled(move.id, "cut", FinishReason.LENGTH, None, -1.0, cost)
    if move.stop and rng.random() > 0.2 + 0.2 * len(split_steps(move.prefix)):
        return Sampled(move.id, rng.choice(STEPS), FinishReason.STOP, None, -2 * rng.random(), cost)
    value = rng.choice([12, 12, 12, 13, 14])
    answer = Answer(str(value), f"q:{value}") if rng.random() < 0.9 else None
    equivalent = ("q:13",) if value == 14 and rng.random() < 0.2 else ()
    text = f"The answer is $\\boxed{{{value}}}$."
    text = text if move.stop else f"Think.\n\n{text}"
    return Sampled(move.id, text, FinishReason.END, answer, -rng.random(), cost, equivalent)


def submitted(spec: object, seed: int) -> JobSubmitted:
    return JobSubmitted(text_problem("What is 3 * 4?"), spec, Budget(), None, seed)  # type: ignore[arg-type]


def play(search: Search, world: int, limits: random.Random, rounds: int = 1000) -> tuple[Search, list[object]]:
    """Ask and answer as the shell does, until nothing is left or `rounds` are over; the events that it would store."""
    events: list[object] = []
    pending = list(search.in_flight)
    for _ in range(rounds):
        room = limits.randint(1, 6)
        search, moves = search.ask(room)
        if moves:
            events.append(MovesIssued(room, tuple(map(issued, moves))))
        pending += moves
        if not pending:
            break
        for _ in range(limits.randint(1, len(pending))):
            outcome = answer_of(pending.pop(limits.randrange(len(pending))), world)
            search = search.tell(outcome)
            events.append(MoveSettled(f"key-{outcome.move_id}", outcome))
    return search, events


class StrategyLaws:
    """Inherit and set `specs`."""

    specs: st.SearchStrategy[object]

    @pytest.fixture(autouse=True)
    def _specs_are_given(self) -> None:
        assert isinstance(self.specs, st.SearchStrategy)

    def test_order_free(self) -> None:
        """Outcomes told in any order within a round give the same state, and the same next moves."""

        @LAW
        @given(self.specs, st.integers(0, 2**40), st.integers(1, 12), st.randoms(use_true_random=False))
        def law(spec: object, seed: int, limit: int, rng: random.Random) -> None:
            search = begin(submitted(spec, seed))
            for _ in range(6):
                search, moves = search.ask(limit)
                outcomes = [answer_of(move, seed) for move in moves]
                forward, shuffled = search, search
                for outcome in outcomes:
                    forward = forward.tell(outcome)
                rng.shuffle(outcomes)
                for outcome in outcomes:
                    shuffled = shuffled.tell(outcome)
                assert forward.state == shuffled.state
                assert forward.verdict() == shuffled.verdict()
                assert forward.ask(limit) == shuffled.ask(limit)
                search = forward

        law()

    def test_replayable(self) -> None:
        """Folding the stored events, read back from JSON, gives the same state and verdict."""

        @LAW
        @given(self.specs, st.integers(0, 2**40), st.randoms(use_true_random=False))
        def law(spec: object, seed: int, rng: random.Random) -> None:
            first = submitted(spec, seed)
            search, events = play(begin(first), seed, rng)
            folded = fold(decode_event(encode(event)) for event in [first, *events])
            assert folded.state == search.state
            assert folded.verdict() == search.verdict()

        law()

    def test_anytime(self) -> None:
        """Cut the log anywhere, resume, and it is legal: verdicts are sound, and the search still comes to an end."""

        @LAW
        @given(self.specs, st.integers(0, 2**40), st.randoms(use_true_random=False))
        def law(spec: object, seed: int, rng: random.Random) -> None:
            first = submitted(spec, seed)
            _, events = play(begin(first), seed, rng)
            cut = rng.randint(0, len(events))
            resumed = fold([first, *events[:cut]])
            check_verdict(resumed)
            ended, _ = play(resumed, seed, rng)
            check_verdict(ended)
            assert ended.in_flight == ()
            assert ended.ask(100) == (ended, ())

        law()

    def test_moves_are_well_formed(self) -> None:
        """Ids and seeds are unique, limits are kept, an empty ask changes nothing, asking again asks the same."""

        @LAW
        @given(self.specs, st.integers(0, 2**40), st.integers(0, 9))
        def law(spec: object, seed: int, limit: int) -> None:
            search, seen = begin(submitted(spec, seed)), set()
            for _ in range(200):
                again, moves = search.ask(limit)
                assert (again, moves) == search.ask(limit)
                assert len(moves) <= limit
                assert again == search or moves
                assert seen.isdisjoint({(move.id, move.seed) for move in moves})
                seen |= {(move.id, move.seed) for move in moves}
                assert set(moves) <= set(again.in_flight)
                search = again
                for move in moves:
                    search = search.tell(answer_of(move, seed))
                if not moves:
                    break
            assert len({move_seed for _, move_seed in seen}) == len(seen)

        law()

    def test_nothing_is_asked_beyond_an_end(self) -> None:
        """What is continued ended at a stop string, and the prefix is all of it, from the root on, and nothing else."""

        @LAW
        @given(self.specs, st.integers(0, 2**40), st.integers(1, 9))
        def law(spec: object, seed: int, limit: int) -> None:
            search = begin(submitted(spec, seed))
            whole: dict[int, str] = {ROOT: ""}
            ended: dict[int, str] = {}
            for _ in range(1000):
                search, moves = search.ask(limit)
                for move in moves:
                    outcome = answer_of(move, seed)
                    search = search.tell(outcome)
                    if isinstance(move, Sample):
                        assert move.prefix in ("", whole.get(move.parent)) or self.may_continue(move, ended)
                        assert not any(move.prefix.startswith(text) for text in ended.values())
                    if isinstance(outcome, Sampled) and outcome.finish is FinishReason.STOP:
                        whole[move.node] = move.prefix + outcome.text + STEP_SEPARATOR
                    if isinstance(outcome, Sampled) and outcome.finish is FinishReason.END:
                        ended[move.node] = move.prefix + outcome.text
                if not moves:
                    return
            raise AssertionError("no end")

        law()

    def may_continue(self, move: Sample, ended: Mapping[int, str]) -> bool:
        """Whether this strategy may ask for other prefixes as well; `ended` has whole solutions by node."""
        return False

    def test_unknown_outcomes_are_refused(self) -> None:
        """An outcome that answers no move in flight, or one that answers it a second time, is a defect of the shell."""

        @LAW
        @given(self.specs, st.integers(0, 2**40))
        def law(spec: object, seed: int) -> None:
            search, moves = begin(submitted(spec, seed)).ask(1)
            outcome = answer_of(moves[0], seed)
            with pytest.raises(UnknownMove):
                search.tell(replace(outcome, move_id="no-such-move"))
            with pytest.raises(UnknownMove):
                search.tell(outcome).tell(outcome)

        law()

    def test_no_score_no_harm(self) -> None:
        """With every call failing there is no answer, no confidence and an end."""

        @LAW
        @given(self.specs, st.integers(0, 2**40))
        def law(spec: object, seed: int) -> None:
            search = begin(submitted(spec, seed))
            for _ in range(1000):
                search, moves = search.ask(8)
                if not moves:
                    break
                for move in moves:
                    search = search.tell(Failed(move.id, FailureKind.ENGINE, "down", Spend()))
            assert search.in_flight == ()
            assert (search.verdict().answer, search.verdict().confidence) == (None, 0.0)

        law()


def check_verdict(search: Search) -> None:
    verdict = search.verdict()
    assert 0.0 <= verdict.confidence <= 1.0
    assert (verdict.answer is None) == (verdict.solution is None)
    assert verdict.answer is not None or verdict.confidence == 0.0
    assert abs(sum(one.weight for one in verdict.candidates) - 1.0) < 1e-9 or len(verdict.candidates) in (0, 8)
