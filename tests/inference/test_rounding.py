"""The grader's laws over all numbers: integers are never mixed up, and a rounding is the correct one."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from inference.answers.extract import read_answer
from inference.answers.grade import BlockingGrader, _same_share
from inference.answers.keys import decided
from inference.answers.normal import normal_form
from inference.answers.rounding import decimal_places, is_rounding, may_be_rounded


def test_without_an_event_loop() -> None:
    with BlockingGrader() as grader:
        assert grader.grade(r"\frac13", "0.33333")
        assert not grader.grade(r"\frac13", "0.33334")


@given(st.integers(), st.integers())
def test_two_different_integers_are_never_equal(left: int, right: int) -> None:
    for spelling in ("{}", "{:,}", "x = {}", "\\boxed{{{}}}", "{}.0", "({})"):
        gold, given_ = read_answer(str(left)), read_answer(spelling.format(right))
        assert gold is not None
        assert given_ is not None
        assert decided(gold.key, given_.key) is (left == right)
        assert not (left != right and _same_share(gold.key, given_.key))
    assert is_rounding(Fraction(left), Fraction(right)) is False
    assert not may_be_rounded(normal_form(str(left)))


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**4), st.integers(4, 12))
def test_a_correct_rounding_and_no_other(top: int, bottom: int, places: int) -> None:
    exact = Fraction(top, bottom)
    decimal = Fraction(round(exact * 10**places), 10**places)
    last = Fraction(1, 10**places)
    if decimal_places(decimal) == places and abs(decimal) >= Fraction(1, 10):
        assert is_rounding(decimal, exact)
        for wrong in (decimal + last, decimal - last):
            shown = decimal_places(wrong) or 0  # 0.11112 - 0.00001 shows four places only, and rounds 1/9 to these
            assert not is_rounding(wrong, exact) or (shown < places or abs(wrong - exact) == last / 2)


@given(st.fractions(), st.integers(0, 10**9))
def test_an_integer_has_no_rounding(decimal: Fraction, whole: int) -> None:
    assert not is_rounding(decimal, Fraction(whole)) or decimal == whole
