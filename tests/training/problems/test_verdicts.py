"""The exact checkers find what is wrong, where it is wrong, and accept other right ways."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.moves import STEP_SEPARATOR, split_steps
from training.problems.catalogue import LEVELS, SUBJECTS
from training.problems.generator import generate
from training.problems.verdicts import StepVerdict, check_solution

RIGHT, WRONG, IRRELEVANT = StepVerdict.RIGHT, StepVerdict.WRONG, StepVerdict.IRRELEVANT


def spoilt(solution: str, rng: random.Random) -> tuple[str, int]:
    """One digit changed in one step, and the step's index."""
    steps = list(split_steps(solution))
    places = [(at, match.start()) for at, step in enumerate(steps) for match in re.finditer("[0-9]", step)]
    at, place = rng.choice(places)
    digit = rng.choice([other for other in "0123456789" if other != steps[at][place]])
    steps[at] = steps[at][:place] + digit + steps[at][place + 1 :]
    return STEP_SEPARATOR.join(steps), at


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_changed_digit_is_found_at_its_step(subject: str) -> None:
    rng, found, count = random.Random(subject), 0, 0
    for level in LEVELS:
        for seed in range(40):
            made = generate(subject, level, f"spoilt/{seed}")
            text, at = spoilt(made.solution, rng)
            found += check_solution(made.problem, text).first_error == at
            count += 1
    assert found >= 0.95 * count


@pytest.mark.parametrize("subject", SUBJECTS)
def test_left_out_and_added_steps_are_found(subject: str) -> None:
    made = generate(subject, 3, "steps")
    steps = split_steps(made.solution)
    chatty = STEP_SEPARATOR.join(["Let me think about it.", *steps])
    assert check_solution(made.problem, chatty).steps == (IRRELEVANT, *[WRONG] * len(steps))
    hasty = check_solution(made.problem, steps[-1])
    assert hasty.steps == (WRONG,)  # it does not follow from anything
    assert hasty.answer_right
    twice = check_solution(made.problem, STEP_SEPARATOR.join([*steps, steps[-1]]))
    assert twice.first_error == len(steps)
    cut = check_solution(made.problem, STEP_SEPARATOR.join(steps[:-1]))
    assert cut.first_error is None
    assert not cut.answer_right
    assert check_solution(made.problem, "").steps == ()


@given(st.sampled_from(list(SUBJECTS)), st.text(max_size=60), st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_any_text_gets_a_verdict(subject: str, text: str, at: int) -> None:
    made = generate(subject, 2, 1)
    steps = list(split_steps(made.solution))
    steps[min(at, len(steps) - 1)] += text
    verdicts = check_solution(made.problem, STEP_SEPARATOR.join(steps))
    assert len(verdicts.steps) == len(split_steps(STEP_SEPARATOR.join(steps)))


@given(st.sampled_from(list(SUBJECTS)), st.integers(1, 5), st.data())
@settings(max_examples=150, deadline=None)
def test_cut_and_garbled_formulas_never_raise(subject: str, level: int, data: st.DataObject) -> None:
    made = generate(subject, level, 2)
    place = data.draw(st.integers(0, len(made.solution) - 1))
    junk = data.draw(st.text(alphabet="0123456789+-*/^(){}=\\ fracdotbinomx$.,", max_size=12))
    check_solution(made.problem, made.solution[:place] + junk + made.solution[place + len(junk) :])


SUM = r"Compute $2 \cdot 3 + 4 \cdot 5$."
EQUATION = "Solve $2x + 3 = 11$ for $x$."
SYSTEM = "Find $(x, y)$ if $x + y = 7$ and $x - y = 1$."
QUADRATIC = "Find all solutions of $x^2 - 5x + 6 = 0$."
GCD = r"Find $\gcd(12, 8)$."
POWER = r"Compute $2^{6} \bmod 7$."
INVERSE = "What is the inverse of $3$ modulo $7$?"
STORY = "Kim has $4$ pens. Leo has $3$ more pens than Kim. How many pens does Leo have?"
CASES = [
    # another order of the operations
    (SUM, [r"$4 \cdot 5 = 20$, so $2 \cdot 3 + 20$."], (RIGHT,)),
    # true, but no operation of the expression
    (SUM, [r"$3 + 4 = 7$, so $2 \cdot 7 \cdot 5$."], (WRONG,)),
    # true, but what remains is miscopied
    (SUM, [r"$4 \cdot 5 = 20$, so $2 \cdot 2 + 20$."], (WRONG,)),
    # a false part in the middle of a chain
    (r"Compute $14 \cdot 12$.", [r"$14 \cdot 12 = 140 + 27 = 168$."], (WRONG,)),
    (EQUATION, ["Subtract $3$ from both sides: $2x = 8$."], (RIGHT,)),
    (EQUATION, ["Subtract $2$ from both sides: $2x + 1 = 9$."], (RIGHT,)),
    (EQUATION, ["Subtract $4$ from both sides: $2x = 8$."], (WRONG,)),
    (EQUATION, ["Divide both sides by $0$: $x = 4$."], (WRONG,)),
    (EQUATION, [r"Check: $2 \cdot 4 + 3 = 8 + 3 = 11$."], (WRONG,)),
    (SYSTEM, ["Add: $2x = 8$."], (RIGHT,)),
    (SYSTEM, ["Subtract: $2x = 8$."], (WRONG,)),
    (QUADRATIC, ["Product $6$ and sum $-5$: $-3$ and $-2$."], (RIGHT,)),
    (QUADRATIC, ["Product $6$ and sum $5$: $3$ and $2$."], (WRONG,)),
    (QUADRATIC, ["Product $6$ and sum $-5$: $-3$ and $-2$.", "So $x^2 - 5x + 6 = 0$."], (RIGHT, WRONG)),
    (GCD, [r"$12 = 1 \cdot 8 + 4$.", r"$8 = 2 \cdot 4 + 0$."], (RIGHT, RIGHT)),
    (GCD, [r"$12 = 0 \cdot 8 + 12$."], (WRONG,)),
    (
        POWER,
        [
            r"$2^{2}$: $2 \cdot 2 = 4 = 0 \cdot 7 + 4$.",
            r"$2^{3}$: $4 \cdot 2 = 8 = 1 \cdot 7 + 1$.",
            r"$2^{6}$: $1 \cdot 1 = 1 = 0 \cdot 7 + 1$.",
        ],
        (RIGHT, RIGHT, RIGHT),
    ),
    (POWER, [r"$2^{4}$: $4 \cdot 4 = 16 = 2 \cdot 7 + 2$."], (WRONG,)),
    (INVERSE, ["One more than a multiple of $7$: $8, 15$.", r"$15 = 3 \cdot 5$, so $x = 5$."], (RIGHT, RIGHT)),
    (INVERSE, ["One more than a multiple of $7$: $8, 14$."], (WRONG,)),
    (STORY, ["Leo has $3 + 4 = 7$ pens."], (RIGHT,)),
    (STORY, ["Leo has $4 + 4 = 8$ pens."], (WRONG,)),
    (STORY, ["Kim has $4 + 3 = 7$ pens."], (WRONG,)),
]


@pytest.mark.parametrize(("problem", "steps", "verdicts"), CASES)
def test_verdicts_by_hand(problem: str, steps: list[str], verdicts: tuple[StepVerdict, ...]) -> None:
    assert check_solution(problem, STEP_SEPARATOR.join(steps)).steps == verdicts


def test_a_dead_end_is_a_wrong_step() -> None:
    problem = (
        r"Reach $14$ from $2, 3, 10$, each used once, with $+$, $-$ and $\cdot$. Which result comes before the last?"
    )
    right = check_solution(problem, r"$10 - 3 = 7$ leaves $2, 7$.")
    dead = check_solution(problem, r"$10 + 3 = 13$ leaves $2, 13$.")
    assert right.steps == (RIGHT,)
    assert dead.steps == (WRONG,)


def test_a_problem_of_no_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind"):
        check_solution("What is love?", "42")
