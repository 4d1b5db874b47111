"""What users may send: each wrong value gets one sentence and the name of its field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.budget import Budget, parse_budget
from domain.errors import InvalidRequest
from domain.problem import MAX_PROBLEM_CHARS, parse_problem
from domain.recipe import DEFAULT_STRATEGY, SPECS, parse_strategy, spec_to_json
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.specs.tree import Beam


@pytest.mark.parametrize(
    ("value", "param"),
    [
        (7, "problem"),
        ("", "problem"),
        ("  \n", "problem"),
        ("x" * (MAX_PROBLEM_CHARS + 1), "problem"),
        ("a\x00b", "problem"),
        ("a\ud800b", "problem"),
        ([], "problem"),
        (["text"], "problem.0"),
        ([{"type": "text"}], "problem.0.text"),
        ([{"type": "text", "text": "a"}, {"type": "input_image", "image_url": "u"}], "problem.1.type"),
    ],
)
def test_bad_problems(value: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_problem(value)
    assert caught.value.param == param


def test_problems_in_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert parse_problem(parts).text == "a\n\nb"


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("tree_of_love", "strategy.name"),
        (7, "strategy"),
        ({}, "strategy.name"),
        ({"name": ["best_of_n"]}, "strategy.name"),
        ({"name": "best_of_n", "n": 0}, "strategy.n"),
        ({"name": "best_of_n", "n": 10**400}, "strategy.n"),
        ({"name": "best_of_n", "n": 1e9}, "strategy.n"),
        ({"name": "best_of_n", "n": 2.5}, "strategy.n"),
        ({"name": "best_of_n", "n": True}, "strategy.n"),
        ({"name": "best_of_n", "n": "4"}, "strategy.n"),
        ({"name": "best_of_n", "temperature": float("nan")}, "strategy.temperature"),
        ({"name": "best_of_n", "aggregation": "median"}, "strategy.aggregation"),
        ({"name": "best_of_n", "aggregation": ["last"]}, "strategy.aggregation"),
        ({"name": "self_consistency", "aggregation": "last"}, "strategy.aggregation"),
        ({"name": "beam", "width": "cube"}, "strategy.width"),
        ({"name": "beam", "width": 0}, "strategy.width"),
        ({"name": "beam", "width": ["sqrt"]}, "strategy.width"),
        ({"name": "best_of_n", "n": "sqrt"}, "strategy.n"),
    ],
)
def test_bad_strategies(value: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_strategy(value)
    assert caught.value.param == param
    assert "\n" not in caught.value.message


def test_a_name_means_the_vetted_settings() -> None:
    assert parse_strategy(None) == SPECS[DEFAULT_STRATEGY]()
    assert parse_strategy("self_consistency") == SelfConsistency(n=16, temperature=0.8, top_p=1.0, max_tokens=512)
    assert parse_strategy({"name": "best_of_n", "n": 4.0}) == BestOfN(n=4)


def test_a_word_may_stand_for_a_number() -> None:
    spec = parse_strategy({"name": "beam", "width": "sqrt"})
    assert (spec, parse_strategy({"name": "beam", "width": 4.0})) == (Beam(width="sqrt"), Beam(width=4))
    assert parse_strategy(spec_to_json(spec)) == spec
    with pytest.raises(InvalidRequest, match="must be a number, or one of sqrt"):
        parse_strategy({"name": "beam", "width": "cube"})


@pytest.mark.parametrize("spec", SPECS.values())
def test_specs_are_shown_as_they_are_read(spec: type) -> None:
    assert parse_strategy(spec_to_json(spec())) == spec()


@pytest.mark.parametrize(
    ("value", "param"),
    [
        (5, "budget"),
        ({"tokens": 0}, "budget.tokens"),
        ({"tokens": -1}, "budget.tokens"),
        ({"tokens": 1.5}, "budget.tokens"),
        ({"tokens": 1e30}, "budget.tokens"),
        ({"tokens": 10**400}, "budget.tokens"),
        ({"rollouts": True}, "budget.rollouts"),
        ({"seconds": float("inf")}, "budget.seconds"),
        ({"flops": "1e9"}, "budget.flops"),
        ({"dollars": 3}, "budget.dollars"),
    ],
)
def test_bad_budgets(value: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_budget(value)
    assert caught.value.param == param


@given(st.integers(1, 10**9), st.floats(1e-3, 1e5))
def test_good_budgets(tokens: int, seconds: float) -> None:
    assert parse_budget({"tokens": tokens, "seconds": seconds, "flops": None}) == Budget(tokens, None, None, seconds)
