"""Answers: extraction, and normal forms that are equal only for equal answers."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.answers.extract import answer_of, extract_answer, read_answer
from inference.answers.keys import decided, latex_of, parse_key
from inference.answers.normal import normal_form
from inference.answers.rational import rational

SAME = [
    ("5", "5.0", "5.", r"\text{5}", "$5$", "+5", "x = 5", r"\frac{10}{2}", "5 apples", r"5\text{ cm}^2", "5 m^2"),
    (
        "3/4",
        "0.75",
        ".75",
        r"\frac{3}{4}",
        r"\dfrac34",
        r"\tfrac{3}4",
        r"\left(\frac{3}{4}\right)",
        "6/8",
        r"$\frac 3 4$",
    ),
    ("-7", r"{-7}", "−7", r"x=-7", r"-7^\circ", r"-7\text{ degrees}"),
    ("1000000", "1,000,000", r"1{,}000{,}000", "1 000 000", r"1,\!000,\!000", "10^6", r"\$1,000,000"),
    ("7/3", r"2\frac{1}{3}", "2 1/3"),
    (r"28\%", "28%", "28 percent", r"28\text{ percent}", "28 pct"),
    ("(A)", "A", r"\text{(A)}", r"\textbf{A}", "(A).", "{A}"),
    ("Evelyn", r"\text{Evelyn}", "evelyn", r"\text{ Evelyn }"),
    ("(1,2)", r"\left( 1, 2 \right)", "(1.0, 4/2)", "(x,y)=(1,2)", "1 < x < 2"),
    ("1,2,3", "{1,2,3}", r"\{3, 2, 1\}", r"1, 2\text{ and }3", "3, 1 and 2", "x = 1, x = 2, x = 3"),
    (r"1 \pm \sqrt{2}", r"1+\sqrt{2}, 1-\sqrt 2", r"\{1-\sqrt2,1+\sqrt{2}\}"),
    (r"[0,\infty)", r"[0, \infty)", r"x \in [0,\infty)"),
    (r"(-\infty,1)\cup(2,3]", r"(2,3] \cup (-\infty, 1)"),
    (r"\begin{pmatrix}1&\frac{1}{2}\\3&4\end{pmatrix}", r"\begin{bmatrix} 1 & 0.5 \\ 3 & 4 \end{bmatrix}"),
    (r"3\sqrt{13}", r"3 \sqrt {13}", r"3\sqrt{13}."),
    (r"x \ge 5", "x>=5", r"x\geq 5"),
    (r"\frac{9}{4}\pi", r"\frac94\pi", r"\dfrac{9}{4} \pi"),
]
DIFFERENT = [
    ("41", "43"), ("0.333", "1/3"), ("28%", "0.28"), ("(1,2)", "(2,1)"), ("(1,2)", "[1,2]"), ("[0,1)", "[0,1]"),
    ("A", "B"), ("1,2", "1,3"), ("2004!", "2006!"), ("x+1", "x-1"), ("12:00", "1:00"), ("-5", "5"),
    ("1,234", "(1,234)"),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"), ("2^{-99}", "2^{-98}"), ("204_5", "204"), ("x", "y"), ("1,2", "12"),
]  # fmt: skip


@pytest.mark.parametrize("spellings", SAME, ids=lambda group: group[0])
def test_spellings_of_one_answer_have_one_key(spellings: tuple[str, ...]) -> None:
    assert {normal_form(spelling) for spelling in spellings} == {normal_form(spellings[0])}


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_answers_have_different_keys(left: str, right: str) -> None:
    assert normal_form(left) != normal_form(right)


@pytest.mark.parametrize("group", SAME, ids=lambda group: group[0])
def test_reading_a_keys_own_text_gives_the_key(group: tuple[str, ...]) -> None:
    key = normal_form(group[0])
    assert normal_form(latex_of(parse_key(key))) == key


numbers = st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**6)


def spelled(value: Fraction) -> str:
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


@given(numbers, numbers)
def test_rationals_are_equal_exactly_when_their_keys_are(left: Fraction, right: Fraction) -> None:
    assert normal_form(spelled(left)) == f"q:{left}"
    assert (normal_form(str(left)) == normal_form(spelled(right))) == (left == right)
    assert decided(f"q:{left}", f"q:{right}") is (left == right)


@given(st.integers(-(10**30), 10**30))
def test_thousands_separators_change_nothing(number: int) -> None:
    assert normal_form(f"{number:,}") == normal_form(str(number)) == f"q:{number}"


@given(st.lists(numbers, min_size=2, max_size=5))
def test_tuples_keep_their_order_and_sets_do_not(values: list[Fraction]) -> None:
    parts = [spelled(value) for value in values]
    assert normal_form(f"({', '.join(parts)})") == "(" + ";".join(f"q:{value}" for value in values) + ")"
    assert normal_form(r"\{" + ",".join(parts) + r"\}") == normal_form(r"\{" + ",".join(reversed(parts)) + r"\}")


@given(st.text(max_size=60))
def test_any_text_has_a_key_and_reading_it_again_is_stable(text: str) -> None:
    key = normal_form(text)
    assert key == normal_form(text)
    if key:
        latex_of(parse_key(key))


@given(st.text(alphabet="0123456789+-*/^(){}\\frac sqrt!.", max_size=40))
def test_the_evaluator_is_exact_or_silent(text: str) -> None:
    value = rational(text)
    assert value is None or isinstance(value, Fraction)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2+3*4", 14), ("(2+3)*4", 20), ("2^{10}", 1024), ("-2^2", -4), ("2^{-1}", Fraction(1, 2)), ("5!", 120),
        (r"\sqrt{16}", 4), (r"\frac{1}{2}+\frac{1}{3}", Fraction(5, 6)), ("3(4)", 12), ("8/4/2", 1), ("2^{3^{2}}", 512),
        ("1/0", None), ("9^{9^{9}}", None), ("2004!", None), (r"\sqrt{2}", None), ("2 3", None), ("0^{-1}", None),
        ("(" * 150 + "1" + ")" * 150, None), ("", None),
    ],
)  # fmt: skip
def test_the_evaluator(text: str, value: int | Fraction | None) -> None:
    assert rational(text) == value


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"So \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{1}, no: \boxed{2}", "2"),
        (r"First \boxed{3}. On second thought it must be \boxed{4}.", "4"),
        (r"\boxed{-2} \quad \text{and} \quad \boxed{1}", "-2, 1"),
        (r"\boxed{\text{a {nested} group}}", r"\text{a {nested} group}"),
        (r"good \boxed{5} then cut \boxed{6", "5"),
        (r"\fbox{7}", "7"),
        (r"\boxed 8", "8"),
        (r"\boxed{}", None),
        ("He has 3 + 4 = 7.\n#### 7", "7"),
        ("#### 1,200\n", "1,200"),
        ("Therefore the answer is 42.", "42"),
        ("The answer is 3.5. Done", "3.5"),
        ("there are 12 of them", None),
        ("", None),
    ],
)
def test_extraction(text: str, answer: str | None) -> None:
    found = extract_answer(text)
    assert (found.text if found else None) == answer


@pytest.mark.parametrize("text", ["\\boxed{" * 20_000, "\\boxed{1}" + " " * 2000 + "x \\boxed{2}"])
def test_degenerate_texts_are_read_at_once(text: str) -> None:
    began = time.process_time()
    extract_answer(text)
    assert time.process_time() - began < 1


def test_golds_without_any_convention() -> None:
    assert [
        read_answer(text).key for text in ("12", "$x = 3$", r"\frac12", "The largest $n$ is 34.", "**840** apples")
    ] == ["q:12", "q:3", "q:1/2", "q:34", "q:840"]
    assert answer_of("   ") is None
    assert answer_of("9" * 5000) is None
