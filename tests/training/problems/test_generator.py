"""The generators' laws: right workings, readable answers, bounded lengths, the same problems everywhere."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.moves import split_steps
from inference.answers.extract import answer_of, extract_answer
from training.problems.catalogue import LEVELS, SUBJECTS
from training.problems.generator import MAX_SOLUTION_CHARS, GeneratedProblem, generate, recognise
from training.problems.verdicts import StepVerdict, check_solution

ROOT = Path(__file__).resolve().parents[3]
CELLS = [(subject, level) for subject in SUBJECTS for level in LEVELS]
seeds = st.integers(0, 2**63)

GOLDEN = {
    "arithmetic 1": "a188a8df2cfb",
    "arithmetic 2": "14f188a5f7f8",
    "arithmetic 3": "e4acdf268f82",
    "arithmetic 4": "b5aa5812cccd",
    "arithmetic 5": "a6393a09c684",
    "algebra 1": "fe5bf9bc7e1e",
    "algebra 2": "436e958066d6",
    "algebra 3": "946680f22241",
    "algebra 4": "3a26d487ce0f",
    "algebra 5": "24d064645243",
    "number_theory 1": "93e3bc681ab4",
    "number_theory 2": "71eee7e318c0",
    "number_theory 3": "dfeac77dcec9",
    "number_theory 4": "bfc610892239",
    "number_theory 5": "abb1a5be0a68",
    "counting_probability 1": "9945d563c314",
    "counting_probability 2": "6cd47260d9ce",
    "counting_probability 3": "22beaeb83456",
    "counting_probability 4": "476c4b191074",
    "counting_probability 5": "ca9d56440b1d",
    "word_problems 1": "e408fd1535ae",
    "word_problems 2": "9bbc9b76bc10",
    "word_problems 3": "9d575b6824ea",
    "word_problems 4": "fb0787bfa5f2",
    "word_problems 5": "4ea47679c7cf",
    "countdown 1": "de4b9c19f65c",
    "countdown 2": "2c7565513404",
    "countdown 3": "855e3e29119a",
    "countdown 4": "58ca3bda9d46",
    "countdown 5": "324f4c1a6db8",
}


def digest(subject: str, level: int) -> str:
    """Of the first three problems."""
    made = [generate(subject, level, seed) for seed in range(3)]
    text = "\x1e".join("\x1f".join((p.id, p.problem, p.answer, p.solution)) for p in made)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize(("subject", "level"), CELLS)
@given(seed=seeds)
@settings(max_examples=12, deadline=None)
def test_every_solution_passes_its_own_checker_at_every_step(subject: str, level: int, seed: int) -> None:
    made = generate(subject, level, seed)
    verdicts = check_solution(made.problem, made.solution)
    assert set(verdicts.steps) == {StepVerdict.RIGHT}
    assert verdicts.first_error is None
    assert verdicts.answer_right


@pytest.mark.parametrize(("subject", "level"), CELLS)
@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_every_problem_reads_back_and_boxes_the_answer_in_normal_form(subject: str, level: int, seed: int) -> None:
    made = generate(subject, level, seed)
    found = recognise(made.problem)
    assert found is not None
    kind, givens = found
    assert kind in SUBJECTS[subject]
    assert kind.answer(givens) == made.answer  # another way than the worked steps
    boxed, answer = extract_answer(made.solution), answer_of(made.answer)
    assert boxed is not None
    assert answer is not None
    assert boxed.key == answer.key
    assert "x:" not in answer.key
    assert len(split_steps(made.solution)) >= 2
    assert len(made.solution) <= MAX_SOLUTION_CHARS
    assert (made.subject, made.level) == (subject, level)


@pytest.mark.parametrize(("subject", "level"), CELLS)
def test_the_first_problems_are_the_same_as_ever(subject: str, level: int) -> None:
    assert digest(subject, level) == GOLDEN[f"{subject} {level}"]


def test_another_process_with_another_hash_seed_makes_the_same_problems() -> None:
    code = (
        "from training.problems.generator import generate; from training.problems.catalogue import SUBJECTS;"
        "print([generate(s, 4, 'p') for s in SUBJECTS])"
    )
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "77", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([generate(subject, 4, "p") for subject in SUBJECTS])


def test_other_seeds_give_other_problems_and_phrasings() -> None:
    for subject, level in CELLS:
        assert len({generate(subject, level, seed).problem for seed in range(12)}) > 6


def test_solutions_grow_with_the_level() -> None:
    for subject in SUBJECTS:
        lengths = [sum(len(generate(subject, level, seed).solution) for seed in range(40)) for level in LEVELS]
        assert lengths[0] < lengths[2] < lengths[4], subject


@pytest.mark.parametrize(("subject", "level"), [("magic", 1), ("algebra", 0), ("algebra", 6)])
def test_what_is_not_offered_is_refused(subject: str, level: int) -> None:
    with pytest.raises(ValueError, match="use one of"):
        generate(subject, level, 0)


def test_a_stranger_s_text_is_of_no_kind() -> None:
    for text in ("", "What is love?", "Compute $\\frac{1}{0}$.", "Solve $x = x$ for $x$.", "Find $\\gcd(6, 9)$."):
        assert recognise(text) is None


def test_a_record_is_frozen() -> None:
    made = generate("algebra", 1, 0)
    assert isinstance(made, GeneratedProblem)
    with pytest.raises(AttributeError):
        made.answer = "1"  # type: ignore[misc]
