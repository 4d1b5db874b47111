"""The grader: what a teacher accepts beyond equality of votes, and what nobody may."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from inference.answers.grade import Grader

PAIRS = Path(__file__).resolve().parents[3] / "shared" / "data" / "grading" / "equivalence_pairs.jsonl"

pytestmark = pytest.mark.asyncio(loop_scope="module")
"""One loop and one child for the whole file: a child takes a second to import sympy."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[Grader]:
    grader = Grader()
    yield grader
    await grader.close()


RIGHT = [
    ("1/12", "0.0833333333333333"), (r"(\frac{3}{5},\frac{8}{3}]", "(0.6, 2.6667]"), (r"\sqrt{2}", "1.41421"),
    (r"\frac{3\pi}{2}", "4.71239"), ("1/3, 2/3", "0.6667, 0.3333"), ("0.6667", r"\frac{2}{3}"), (r"50\%", "0.5"),
    (r"\frac12", r"50\%"), ("10", r"10\%"), ("(1, 2)", "1, 2"), ("AB=4, CD=5", "4, 5"), ("(x, y) = (1, 2)", "y=2, x=1"),
    (r"1 \le |x| \le \frac32", r"[-\frac32, -1] \cup [1, 1.5]"), ("|y| < 3", "(-3, 3)"), ("x > 3", r"(3, \infty)"),
    (r"\emptyset", r"\{\}"), (r"\varnothing", r"\emptyset"), ("1.5e3", "1500"), ("5 = x", "5"), ("2x+3 = y", "2x+3"),
    (r"\frac{x+1}{2}", "0.5x + 0.5"), ("x_1 = 2, x_2 = 3", "3, 2"), (r"\frac{1}{\sqrt2}", r"\frac{\sqrt2}{2}"),
]  # fmt: skip
WRONG = [
    ("1/3", "0.333"), ("1/3", "0.3334"), ("1/3", "0.33"), ("2/3", "0.6666"), (r"\pi", "3.14"), (r"\pi", "3.14158"),
    ("1", "0.99999999"), ("1", "1.00000001"), ("0.25", "0.2500001"), ("1/10007", "0.0001"), ("50", "0.5"),
    ("(1, 2)", "2, 1"), ("x=1, y=2", "x=2, y=1"), ("(x, y) = (1, 2)", "x=2, y=1"), ("1.5", "1.5E3"), (r"5\%", "0.5"),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"), (r"2^{-99}", "2^{-98}"), (r"2^{-99}\pi", r"2^{-98}\pi"),
    ("0", r"2^{-99}"), (r"1-\frac1e", r"1+\frac1e"), ("|x| < 3", "(-3, 3]"), ("x > 3", r"[3, \infty)"),
    (r"\sqrt{2}", r"\sqrt{3}"), ("1", r"100\%"), ("10^{40}", "10^{40}+1"), ("1", ""), (r"\frac{1}{2004!}", "0"),
]  # fmt: skip


async def test_right_answers(grader: Grader) -> None:
    for gold, prediction in RIGHT:
        assert await grader.grade(gold, prediction), (gold, prediction)


async def test_wrong_answers(grader: Grader) -> None:
    for gold, prediction in WRONG:
        assert not await grader.grade(gold, prediction), (gold, prediction)
    assert not await grader.grade("5", None)


async def test_the_labelled_pairs(grader: Grader) -> None:
    if not PAIRS.is_file():
        pytest.skip("the shared data folder is not beside this checkout")
    pairs = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    verdicts = [await grader.grade(pair["gold"], pair["pred"]) for pair in pairs]
    right = sum(verdict == pair["equivalent"] for verdict, pair in zip(verdicts, pairs, strict=True))
    assert right / len(pairs) >= 0.98


async def test_what_hangs_is_wrong_and_ends_soon(grader: Grader) -> None:
    started = time.monotonic()
    assert not await grader.grade(r"9^{9^{9^{9}}}+\frac{1}{3}", r"8^{8^{8^{8}}}+0.3333")
    assert time.monotonic() - started < 30


async def test_many_gradings_at_once(grader: Grader) -> None:
    verdicts = await asyncio.gather(*(grader.grade(r"\sqrt{8}", rf"{n}\sqrt{{2}}") for n in range(6)))
    assert verdicts == [False, False, True, False, False, False]
