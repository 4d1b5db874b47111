"""The generator's laws: right workings, right answers, the level's bounds, the same problems from the same seed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.moves import split_steps
from inference.answers.extract import extract_answer
from training.problems.__main__ import line
from training.problems.arithmetic import LEVELS, generate, solve
from training.problems.checker import is_right, step_verdicts
from training.problems.corruption import corrupted, wrong_number
from training.problems.expression import Operation, Tree, evaluate, operations, parse, render
from training.recipe import RECIPES, read_recipe
from training.splits import EXAMPLES_HELD, TEST_HELD, examples_per_level, held_out_problems, make_splits

ROOT = Path(__file__).resolve().parents[2]
seeds = st.integers(0, 2**31)
levels = st.sampled_from(sorted(LEVELS))
trees: st.SearchStrategy[Tree] = st.recursive(
    st.integers(0, 999),
    lambda inner: st.builds(Operation, inner, st.sampled_from("+-*"), inner),
    max_leaves=8,
)


@given(trees)
def test_a_written_expression_reads_back_as_the_same_tree(tree: Tree) -> None:
    assert parse(render(tree)) == tree


@given(trees)
def test_a_written_expression_has_the_value_that_python_gives_it(tree: Tree) -> None:
    assert evaluate(tree) == eval(render(tree))  # digits, signs and brackets only, made two lines above


@pytest.mark.parametrize("text", ["", "1 +", "(1", "1)", "1 2", "a + 1", "* 3", "1 + + 2", "(" * 60 + "1" + ")" * 60])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text)


@given(seeds, levels)
@settings(max_examples=60, deadline=None)
def test_every_solution_is_right_step_by_step_and_boxes_the_answer(seed: int, level: int) -> None:
    for example in generate(seed, level, 5):
        assert is_right(example.problem, example.solution)
        assert all(step_verdicts(example.problem, example.solution))
        assert int(example.answer) == eval(example.problem.removeprefix("What is ").removesuffix("?"))
        answer = extract_answer(example.solution)
        assert answer is not None
        assert answer.text == example.answer
        assert len(split_steps(example.solution)) == LEVELS[level].operations + 1
        assert len(example.solution) <= 170


@given(seeds, levels)
@settings(max_examples=30, deadline=None)
def held_out_problems_keep_the_bounds_of_their_level(seed: int, level: int) -> None:
    bounds = LEVELS[level]
    for example in generate(seed, level, 5):
        tree = parse(example.problem.removeprefix("What is ").removesuffix("?"))
        found = operations(tree)
        products = sum(item.sign == "*" for item in found)
        assert len(found) == bounds.operations
        assert bounds.products[0] <= products <= bounds.products[1]
        assert all(0 <= evaluate(item) <= bounds.ceiling for item in found)


def test_the_same_seed_gives_the_same_problems_and_another_one_others() -> None:
    assert generate(5, 3, 20) == generate(5, 3, 20)
    assert generate(5, 3, 20)[:7] == generate(5, 3, 7)
    assert generate(5, 3, 20) != generate(6, 3, 20)


def test_a_level_that_is_exhausted_says_so() -> None:
    held = {example.problem for example in generate(1, 1, 6000)}
    assert len(held) == 6000
    with pytest.raises(ValueError, match="too few different problems"):
        generate(1, 1, 1_000_000, exclude=held)


def test_no_problem_is_in_two_sets() -> None:
    recipe = read_recipe(RECIPES / "smoke.toml")
    splits = make_splits(recipe.data)
    held = held_out_problems(TEST_HELD) + examples_per_level(EXAMPLES_HELD)
    sets = [{example.problem for example in part} for part in (splits.train, splits.validation, held)]
    assert [len(part) for part in sets] == [300, 20, 5 * (TEST_HELD + EXAMPLES_HELD)]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]
    assert {example.problem for example in splits.test} <= sets[2]


def test_the_shipped_examples_are_the_generators_own() -> None:
    shipped = (ROOT / "examples" / "problems.jsonl").read_text().splitlines(keepends=True)
    assert shipped == [line(example) for example in examples_per_level(10)]
    assert {json.loads(text)["level"] for text in shipped} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("solution", "verdicts"),
    [
        ("2 + 3 = 5, so 5 * 4\n\n5 * 4 = 20\n\nThe answer is $\\boxed{20}$.", (True, True, True)),
        ("2 + 3 = 6, so 6 * 4\n\n6 * 4 = 24\n\nThe answer is $\\boxed{24}$.", (False, False, False)),
        ("2 + 3 = 5, so 5 + 4\n\n5 + 4 = 9\n\nThe answer is $\\boxed{9}$.", (False, False, False)),
        ("2 + 3 = 5, so 5 * 4\n\n5 * 4 = 24\n\nThe answer is $\\boxed{20}$.", (True, False, False)),
        ("2 + 3 = 5, so 5 * 4\n\n5 * 4 = 20\n\nThe answer is $\\boxed{21}$.", (True, True, False)),
        ("The answer is $\\boxed{20}$.", (False,)),
        ("3 * 4 = 12, so 2 + 12", (False,)),
        ("2 + 3 = 5, so (5 * 4", (False,)),
        ("2 + 3 = 5", (False,)),
        ("", ()),
    ],
)
def test_the_checker_finds_the_first_wrong_step(solution: str, verdicts: tuple[bool, ...]) -> None:
    assert step_verdicts("What is (2 + 3) * 4?", solution) == verdicts


def test_a_right_solution_must_be_finished_and_may_not_go_on() -> None:
    problem = "What is 2 + 3?"
    done = "2 + 3 = 5\n\nThe answer is $\\boxed{5}$."
    assert is_right(problem, done)
    assert not is_right(problem, "2 + 3 = 5")
    assert not is_right(problem, done + "\n\nThe answer is $\\boxed{5}$.")
    assert not is_right(problem, "")


def test_steps_may_come_in_another_right_order() -> None:
    solution = "5 * 6 = 30, so 2 * 3 + 30\n\n2 * 3 = 6, so 6 + 30\n\n6 + 30 = 36\n\nThe answer is $\\boxed{36}$."
    assert is_right("What is 2 * 3 + 5 * 6?", solution)


@given(seeds, levels)
@settings(max_examples=60, deadline=None)
def test_a_planted_error_makes_exactly_the_rest_wrong(seed: int, level: int) -> None:
    example = generate(seed, level, 1)[0]
    verdicts = step_verdicts(example.problem, corrupted(example.problem, random.Random(seed)))
    assert not verdicts[-1]
    assert list(verdicts) == sorted(verdicts, reverse=True)


@given(st.integers(0, 99_999), seeds)
def test_a_wrong_number_is_another_number(value: int, seed: int) -> None:
    wrong = wrong_number(value, random.Random(seed))
    assert wrong != value
    assert wrong >= 0


@given(trees)
@settings(max_examples=50)
def test_solving_ends_in_the_value(tree: Tree) -> None:
    answer, solution = solve(tree)
    assert int(answer) == evaluate(tree)
    assert solution.endswith(f"The answer is $\\boxed{{{answer}}}$.")
