"""The splits share no problem and no near-duplicate, are stratified, and do not run dry at 1,200 problems."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from training.problems import partition
from training.problems.catalogue import LEVELS, SUBJECTS
from training.problems.generator import GeneratedProblem, draft, generate
from training.problems.partition import SPLITS, exact_key, make_split, signature, split_of

N = 1200


@cache
def made(split: str) -> tuple[GeneratedProblem, ...]:
    return tuple(make_split(split, N))


@cache
def marks(split: str) -> tuple[str, ...]:
    return tuple(signature(problem.problem) for problem in made(split))


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_holds_distinct_problems_of_every_cell(split: str) -> None:
    problems = made(split)
    assert len(problems) == N
    assert len({exact_key(problem.problem) for problem in problems}) == N
    assert len({problem.id for problem in problems}) == N
    cells = Counter((problem.subject, problem.level) for problem in problems)
    assert len(cells) == len(SUBJECTS) * len(LEVELS)
    assert max(cells.values()) - min(cells.values()) <= 1
    if split != "train":
        assert len(set(marks(split))) == N


def test_no_two_splits_share_a_problem_or_a_near_duplicate() -> None:
    for one, other in (("train", "calibration"), ("train", "test"), ("calibration", "test")):
        keys = [{exact_key(problem.problem) for problem in made(split)} for split in (one, other)]
        assert not keys[0] & keys[1]
        assert not set(marks(one)) & set(marks(other))


@given(st.sampled_from(list(SUBJECTS)), st.sampled_from(LEVELS), st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_the_signature_read_from_the_text_is_that_of_the_givens(subject: str, level: int, seed: int) -> None:
    drafted = draft(subject, level, seed)
    problem = generate(subject, level, seed).problem
    assert signature(problem) == drafted.signature
    assert split_of(problem) in SPLITS


def test_phrasing_names_and_order_do_not_change_the_signature() -> None:
    same = [
        ("What is $2 + 3 + 4$?", "Compute $4 + 2 + 3$."),
        ("What is the inverse of $3$ modulo $7$?", r"Find $x$ with $3x \equiv 1 \pmod{7}$ and $0 < x < 7$."),
        (
            "Kim has $4$ pens. Leo has $3$ more pens than Kim. How many pens does Leo have?",
            "There are $4$ eggs in Ana's box. Ben has as many eggs as Ana and $3$ more. How many eggs does Ben have?",
        ),
        ("How high is a tower of 3 bricks of 7 cm?", "how high is a tower of 7  bricks of 3 cm?"),
    ]
    for one, other in same:
        assert signature(one) == signature(other)
    assert signature("What is $2 + 3$?") != signature("What is $2 + 4$?")


def test_the_same_seed_gives_the_same_split_and_a_shorter_one_is_its_beginning() -> None:
    assert make_split("calibration", 40, 3) == make_split("calibration", 60, 3)[:40]
    assert make_split("calibration", 40, 3) != make_split("calibration", 40, 4)


def test_subjects_and_levels_can_be_chosen() -> None:
    problems = make_split("train", 9, subjects=["algebra", "countdown"], levels=[5])
    assert Counter((problem.subject, problem.level) for problem in problems) == {("algebra", 5): 5, ("countdown", 5): 4}


def test_an_exhausted_cell_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "MAX_MISSES", 60)
    with pytest.raises(InvalidRequest, match="algebra level 1 has no more distinct calibration problems"):
        make_split("calibration", 5000, subjects=["algebra"], levels=[1])


@pytest.mark.parametrize(
    ("split", "subjects", "levels", "part"),
    [
        ("dev", ["algebra"], [1], "unknown split 'dev': use train, calibration, test"),
        ("test", ["magic"], [1], "unknown subject 'magic': use arithmetic"),
        ("test", ["algebra"], [9], "unknown level 9: use 1, 2"),
        ("test", [], [1], "at least one subject"),
        ("test", ["algebra"], [1, 1], "each once"),
    ],
)
def test_what_is_not_offered_is_refused(split: str, subjects: list[str], levels: list[int], part: str) -> None:
    with pytest.raises(InvalidRequest, match=part):
        make_split(split, 3, subjects=subjects, levels=levels)
