"""Chains: what is in them and in which order; edit distance against its textbook table."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from domain.moves import FinishReason
from domain.ports import SampleRequest
from training.labels.distance import edit_distance
from training.labels.revisions import ChainSettings, chains_of, leading_to, make_chains
from training.problems.files import ProblemRecord

PROBLEM = ProblemRecord(1, "p", "What is 6 times 7?", "42", solution="Worked.\n\n\\boxed{42}")
RIGHTS = ["Seven sixes.\n\n\\boxed{42}", "Six sevens.\n\n\\boxed{42}"]
WRONGS = [f"{word}.\n\n\\boxed{{{value}}}" for value, word in enumerate(["Six sevens", "Or", "Hm", "Well", "So", "I"])]
MANY = ChainSettings(chains_per_problem=400)


def table_distance(left: str, right: str) -> int:
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, row = row, [i]
        for j, b in enumerate(right, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]


@given(st.text("abc", max_size=90), st.text("abcé", max_size=90))
def test_the_distance_is_that_of_the_textbook(left: str, right: str) -> None:
    assert edit_distance(left, right) == table_distance(left, right)


def test_the_last_wrong_attempt_is_the_nearest() -> None:
    for wanted in range(1, 7):
        attempts = leading_to(RIGHTS[1], WRONGS, wanted, random.Random(wanted))
        assert attempts[-1] == WRONGS[0]
        assert len(set(attempts)) == len(attempts) == wanted
    assert leading_to(RIGHTS[1], WRONGS, 0, random.Random(0)) == ()


def test_numbers_of_wrong_attempts_are_uniform_and_a_share_of_chains_keeps_what_is_right() -> None:
    chains = [
        chain
        for at in range(1500)
        for chain in chains_of(
            ProblemRecord(1, f"p{at}", "?", "42"), RIGHTS, WRONGS, ChainSettings(chains_per_problem=1)
        )
    ]
    kept = [chain for chain in chains if chain.solution in chain.attempts]
    assert all(chain.attempts[-1] == chain.solution and len(chain.attempts) <= 4 for chain in kept)
    assert len(kept) / len(chains) == pytest.approx(0.15, abs=0.03)
    revised = [chain for chain in chains if chain not in kept]
    lengths = Counter(len(chain.attempts) for chain in revised)
    assert set(lengths) == {0, 1, 2, 3, 4}
    assert all(number / len(revised) == pytest.approx(0.2, abs=0.04) for number in lengths.values())
    nearest = {right: min(WRONGS, key=lambda wrong: table_distance(wrong, right)) for right in RIGHTS}
    assert all(chain.attempts[-1] == nearest[chain.solution] for chain in revised if chain.attempts)
    assert all(attempt in WRONGS for chain in revised for attempt in chain.attempts)


def test_without_a_right_sample_the_worked_solution_is_the_target() -> None:
    chains = chains_of(PROBLEM, [], WRONGS, MANY)
    assert {chain.solution for chain in chains} == {PROBLEM.solution}
    assert all(chain.attempts[-1] in WRONGS for chain in chains if chain.attempts)
    assert chains_of(PROBLEM, [], WRONGS, ChainSettings(chains_per_problem=400, use_worked=False)) == []
    assert {chain.solution for chain in chains_of(PROBLEM, RIGHTS, WRONGS, MANY)} == set(RIGHTS)


def test_a_problem_of_one_kind_only() -> None:
    only_right = chains_of(PROBLEM, RIGHTS, [], MANY)
    assert {(chain.attempts, chain.solution) for chain in only_right} == {((right,), right) for right in RIGHTS}
    assert chains_of(PROBLEM, [], [], MANY) == []


def test_chains_of_a_problem_differ_and_repeat_with_the_seed() -> None:
    chains = chains_of(PROBLEM, RIGHTS, WRONGS, MANY)
    assert len(set(chains)) == len(chains)
    assert chains == chains_of(PROBLEM, RIGHTS, WRONGS, MANY)
    assert chains != chains_of(PROBLEM, RIGHTS, WRONGS, ChainSettings(chains_per_problem=400, seed=1))


def test_the_file_holds_distinct_finished_attempts(told, tmp_path: Path) -> None:
    texts = [*RIGHTS, *WRONGS, *WRONGS]

    def tell(request: SampleRequest, index: int) -> tuple[str, FinishReason]:
        return (texts[index], FinishReason.END) if index < len(texts) else ("cut \\boxed{42}", FinishReason.LENGTH)

    told(tell)
    settings = ChainSettings(samples=len(texts) + 2, chains_per_problem=50)
    out = make_chains("told", [PROBLEM], settings, tmp_path / "chains.jsonl")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["solution"] for row in rows} == set(RIGHTS)
    assert {attempt for row in rows for attempt in row["attempts"]} <= {*RIGHTS, *WRONGS}
    assert all((row["problem_id"], row["problem"]) == ("p", PROBLEM.problem) for row in rows)
    counts = json.loads((tmp_path / "chains.jsonl.manifest.json").read_text())["counts"]
    assert (counts["chains"], counts["problems_with_both"]) == (len(rows), 1)
    again = make_chains("told", [PROBLEM], settings, tmp_path / "again.jsonl")
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("bad", [{"max_attempts": 0}, {"chains_per_problem": 0}, {"right_to_right": 1.2}])
def test_bad_settings_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ChainSettings(**bad)  # type: ignore[arg-type]
    assert caught.value.param in bad
