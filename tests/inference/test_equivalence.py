"""Symbolic equivalence: exact first, never two rationals, never a hang."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from inference.answers.equivalence import SymbolicEquivalence
from inference.answers.extract import read_answer
from inference.answers.normal import normal_form

PAIRS = Path(__file__).resolve().parents[3] / "shared" / "data" / "grading" / "equivalence_pairs.jsonl"


pytestmark = pytest.mark.asyncio(loop_scope="module")
"""One loop and one child for the whole file: a child takes a second to import sympy."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def compare() -> AsyncIterator[SymbolicEquivalence]:
    equivalence = SymbolicEquivalence()
    yield equivalence
    await equivalence.close()


EQUAL = [
    (r"\sqrt{8}", r"2\sqrt{2}"), ("(x+1)^2", "x^2+2x+1"), (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt2}{2}"),
    (r"\log_2 8", "3"), (r"\binom{5}{2}", "10"), (r"e^{i\pi}", "-1"), ("x < 1", "-x > -1"), (r"3\pi", "3pi"),
    (r"(\sqrt{8}, 1)", r"(2\sqrt{2}, 1)"), (r"\{\sqrt{4}, \sqrt{8}\}", r"\{2\sqrt2, 2\}"), ("10", r"10\%"),
]  # fmt: skip
UNEQUAL = [
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"), (r"2^{-99}\pi", r"2^{-98}\pi"), ("1-1/e", "1+1/e"),
    (r"\sqrt{x^2}", "x"), ("|x|", "x"), ("x", "y"), ("a+3z=0", "0"), (r"3.14159265358979", r"\pi"), ("0.3333", "1/3"),
    (r"(1, \sqrt{2})", r"(\sqrt{2}, 1)"), ("A", "x"), (r"\text{even}", "x"), ("1000000001", "1000000002"),
]  # fmt: skip


async def test_equal_answers(compare: SymbolicEquivalence) -> None:
    for left, right in EQUAL:
        assert await compare.equal(normal_form(left), normal_form(right)), (left, right)
        assert await compare.equal(normal_form(right), normal_form(left)), (right, left)


async def test_unequal_answers(compare: SymbolicEquivalence) -> None:
    for left, right in UNEQUAL:
        assert not await compare.equal(normal_form(left), normal_form(right)), (left, right)


async def test_the_port_gives_the_equal_keys(compare: SymbolicEquivalence) -> None:
    others = tuple(map(normal_form, (r"\sqrt{2}", r"2\sqrt{2}", r"\sqrt{4}\sqrt{2}", "8", "x")))
    assert await compare.equivalent(normal_form(r"\sqrt{8}"), others) == (others[1], others[2])


async def test_rationals_and_words_need_no_process() -> None:
    compare = SymbolicEquivalence()
    others = ("q:1", "q:1/2", "%:50", "c:A", "w:half", "(q:1;q:2)")
    assert await compare.equivalent("q:1/2", others) == ("q:1/2",)
    assert await compare.equivalent("q:50", ("%:50", "q:1/2")) == ("%:50",)
    assert compare._all[0]._process is None


async def test_a_hang_is_killed_logged_without_the_text_and_not_equal(caplog: pytest.LogCaptureFixture) -> None:
    compare = SymbolicEquivalence(timeout_s=0.5)
    assert await compare.equal("x:\\sqrt{8}", "x:2\\sqrt{2}")
    process = compare._all[0]._process
    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        assert not await compare.equal(r"x:9^{9^{9^{9}}}", "x:8^{8^{8^{8}}}+1")
    assert time.monotonic() - started < 3
    assert process is not None
    assert process.returncode is not None
    assert "not equal" in caplog.text
    assert "9^" not in caplog.text
    assert await compare.equal("x:\\sqrt{12}", "x:2\\sqrt{3}")
    await compare.close()


async def test_a_text_that_hangs_is_asked_about_twice_at_most() -> None:
    compare = SymbolicEquivalence(timeout_s=0.3)
    assert await compare.equal("x:\\sqrt{8}", "x:2\\sqrt{2}")
    started = time.monotonic()
    assert await compare.equivalent(r"x:9^{9^{9^{9}}}", [f"x:{n}^{{8^{{8^{{8}}}}}}+x" for n in range(30)]) == ()
    assert time.monotonic() - started < 8
    assert max(compare._hung.values()) == 2
    await compare.close()


async def test_a_killed_child_is_started_again(compare: SymbolicEquivalence) -> None:
    assert await compare.equal("x:\\sqrt{8}", "x:2\\sqrt{2}")
    process = compare._all[0]._process
    assert process is not None
    process.kill()
    await process.wait()
    assert await compare.equal("x:\\sqrt{12}", "x:2\\sqrt{3}")


async def test_a_cancelled_question_does_not_answer_the_next_one(compare: SymbolicEquivalence) -> None:
    assert await compare.equal("x:\\sqrt{8}", "x:2\\sqrt{2}")
    task = asyncio.create_task(compare.equal("x:\\sqrt{18}", "x:3\\sqrt{2}"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await compare.equal("x:\\sqrt{5}", "x:\\sqrt{7}")
    assert await compare.equal("x:\\sqrt{20}", "x:2\\sqrt{5}")


async def test_the_recorded_pairs(compare: SymbolicEquivalence) -> None:
    if not PAIRS.is_file():
        pytest.skip("the shared data folder is not beside this checkout")
    right = 0
    lines = PAIRS.read_text(encoding="utf-8").splitlines()
    for line in lines:
        pair = json.loads(line)
        gold, prediction = read_answer(pair["gold"]), read_answer(pair["pred"])
        equal = gold is not None and prediction is not None and await compare.equal(gold.key, prediction.key)
        right += equal == pair["equivalent"]
    assert right / len(lines) >= 0.95
