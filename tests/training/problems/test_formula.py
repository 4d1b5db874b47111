"""Formulas, templates and draws: what is written reads back, and nothing that is read can run wild."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.problems.draw import Draw
from training.problems.formula import Apply, Term, chain, evaluate, render
from training.problems.kind import Wrong, true_chain
from training.problems.reader import parse
from training.problems.template import Template
from training.problems.working import written

numbers = st.fractions(min_value=-99, max_value=99, max_denominator=12)
leaves: st.SearchStrategy[Term] = numbers | st.sampled_from("xy")
terms: st.SearchStrategy[Term] = st.recursive(
    leaves, lambda inner: st.builds(Apply, st.sampled_from("+-*"), inner, inner), max_leaves=8
)


@given(terms)
def test_a_written_formula_reads_back(term: Term) -> None:
    assert parse(render(term)) == term


@given(terms, numbers, numbers)
def test_a_chain_of_evaluation_is_true(term: Term, x: Fraction, y: Fraction) -> None:
    names = {"x": x, "y": y}
    number = evaluate(term, names)
    assert evaluate(parse(chain(number))) == number
    if "x" not in render(term) and "y" not in render(term) and isinstance(term, Apply):
        assert len(true_chain(chain(term))) >= 2


@given(st.integers(-99, 99), st.integers(-99, 99), st.sampled_from("+-*"))
def test_an_operation_written_out_is_true_and_ends_in_its_value(left: int, right: int, sign: str) -> None:
    target = Apply(sign, Fraction(left), Fraction(right))
    sides = true_chain(written(target))
    assert sides[0] == target
    assert sides[-1] == evaluate(target)


@given(numbers, numbers, st.sampled_from("+-*"))
def test_fractions_written_out_are_true(left: Fraction, right: Fraction, sign: str) -> None:
    target = Apply(sign, left, right)
    assert true_chain(written(target))[-1] == evaluate(target)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2x^2 - 3x + 1", 10), ("-x^2", -9), ("2(x + 1)", 8), ("(x - 1)(x + 2)", 10), (r"\binom{7}{x}", 35),
        (r"\frac{x + 1}{2}", 2), (r"12 \div x \times 2", 8), ("x^{2}", 9), ("-(-x)", 3), ("--3", 3),
    ],
)  # fmt: skip
def test_formulas_by_hand(text: str, value: int) -> None:
    assert evaluate(parse(text), {"x": Fraction(3)}) == value


@pytest.mark.parametrize(
    "text",
    ["", "1 +", "(1", "1)", "1 2", "3^10", "x 3", r"\frac{1}{0}", r"\frac{1}", "1" * 13, "(" * 60 + "1" + ")" * 60, "_",
     "__import__('os')", r"\sqrt{2}", "x^", "^2", "{1}", "1" + " + 1" * 5000],
)  # fmt: skip
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text)


@pytest.mark.parametrize("text", ["2^{65}", "999^{64}^{64}", "x", r"1 \div 0", r"\binom{300}{2}", "2^{-1}"])
def test_what_is_too_large_or_unknown_has_no_value(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        evaluate(parse(text))


def test_a_false_chain_is_wrong_and_half_a_chain_unreadable() -> None:
    with pytest.raises(Wrong):
        true_chain("1 + 1 = 2 = 3")
    for text in ("1 + 1", "1 = ", "a = = b", "x = 3"):
        with pytest.raises(ValueError, match=r".+"):
            true_chain(text)


@given(st.integers(), st.text(alphabet="abc +-=^{}\\", min_size=1))
def test_a_template_reads_what_it_wrote(number: int, text: str) -> None:
    template = Template(r"A $<e>$, $<#k>$ and $<#k>$ in \boxed{<e>}? ($0 < x < 3$)")
    assert template.match(template.fill(e=text, k=number)) == {"e": text, "k": str(number)}


def test_a_template_refuses_other_texts() -> None:
    template = Template("$<#k>$ and $<#k>$.")
    assert template.match("$1$ and $2$.") is None
    assert template.match("$1$ and $1$. ") is None
    assert template.match("$x$ and $x$.") is None


def test_draws_are_those_of_python_s_promised_stream() -> None:
    draw = Draw("seed")
    assert [draw.integer(1, 100) for _ in range(8)] == DRAWN
    assert sorted(draw.shuffled(range(9))) == list(range(9))
    assert {Draw(str(at)).nonzero(2) for at in range(60)} == {-2, -1, 1, 2}


DRAWN = [14, 24, 87, 29, 5, 97, 73, 61]
