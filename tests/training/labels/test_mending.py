"""Chains for a reviser of its own: attempts as they come, and the nearest right solution to the last one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.errors import InvalidRequest
from domain.moves import FinishReason
from domain.ports import SampleRequest
from training.labels.distance import edit_distance
from training.labels.mending import MendingSettings, make_mending_chains, mending_chains, nearest
from training.labels.revisions import Chain
from training.problems.files import ProblemRecord

PROBLEM = ProblemRecord(1, "p", "What is 6 times 7?", "42", solution="Worked.\n\n\\boxed{42}")
RIGHTS = ["Seven sixes.\n\n\\boxed{42}", "Six sevens.\n\n\\boxed{42}"]
WRONGS = ["Six sevens.\n\n\\boxed{40}", "Seven sixes.\n\n\\boxed{13}", "Well.\n\n\\boxed{2}"]
DRAWN = [(RIGHTS[0], True), (WRONGS[0], False), (WRONGS[0], False), (WRONGS[1], False), (RIGHTS[1], True)]


def chains_over_problems(count: int) -> list[Chain]:
    one = MendingSettings(chains_per_problem=1)
    return [chain for at in range(count) for chain in mending_chains(ProblemRecord(1, f"p{at}", "?", "42"), DRAWN, one)]


def test_the_last_attempt_is_right_as_often_as_attempts_are() -> None:
    chains = chains_over_problems(1500)
    last = [chain.attempts[-1] for chain in chains]
    assert len(chains) == 1500
    assert sum(text in RIGHTS for text in last) / 1500 == pytest.approx(2 / 5, abs=0.04)
    assert last.count(WRONGS[0]) / 1500 == pytest.approx(2 / 5, abs=0.04)
    assert {len(chain.attempts) for chain in chains} == {1, 2, 3, 4}
    assert all(len(set(chain.attempts)) == len(chain.attempts) for chain in chains)


def test_what_is_right_stays_and_what_is_wrong_becomes_the_nearest_right_one() -> None:
    for chain in chains_over_problems(200):
        last = chain.attempts[-1]
        assert chain.solution == (last if last in RIGHTS else RIGHTS[1] if last == WRONGS[0] else RIGHTS[0])
    assert nearest(RIGHTS, WRONGS[2]) == min(RIGHTS, key=lambda right: edit_distance(right, WRONGS[2]))


def test_without_a_right_sample_the_worked_solution_is_the_target() -> None:
    drawn = [(text, False) for text in WRONGS]
    chains = mending_chains(PROBLEM, drawn, MendingSettings())
    assert {chain.solution for chain in chains} == {PROBLEM.solution}
    assert mending_chains(ProblemRecord(1, "p", "?", "42"), drawn, MendingSettings()) == []
    assert mending_chains(PROBLEM, [], MendingSettings()) == []


def test_chains_repeat_with_the_seed_and_their_number_is_what_was_asked_for() -> None:
    many = MendingSettings(chains_per_problem=300)
    chains = mending_chains(PROBLEM, DRAWN, many)
    assert len(set(chains)) < len(chains) == 300
    assert chains == mending_chains(PROBLEM, DRAWN, many)
    assert mending_chains(PROBLEM, DRAWN, MendingSettings()) != mending_chains(PROBLEM, DRAWN, MendingSettings(seed=1))


def test_the_file_holds_what_a_search_would_show(told, tmp_path: Path) -> None:
    texts = [RIGHTS[0], *WRONGS, "No answer."]

    def tell(request: SampleRequest, index: int) -> tuple[str, FinishReason]:
        assert request.temperature == 0.8
        return (texts[index], FinishReason.END) if index < len(texts) else ("cut \\boxed{42}", FinishReason.LENGTH)

    told(tell)
    settings = MendingSettings(samples=len(texts) + 1, chains_per_problem=60)
    out = make_mending_chains("told", [PROBLEM], settings, tmp_path / "chains.jsonl")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["solution"] for row in rows} == {RIGHTS[0]}
    assert {attempt for row in rows for attempt in row["attempts"]} == {RIGHTS[0], *WRONGS}
    counts = json.loads((tmp_path / "chains.jsonl.manifest.json").read_text())["counts"]
    assert counts["chains"] == len(rows)
    assert counts["last_right"] == sum(row["attempts"][-1] == RIGHTS[0] for row in rows)
    assert make_mending_chains("told", [PROBLEM], settings, out) == out


@pytest.mark.parametrize("bad", [{"samples": 0}, {"max_attempts": 0}, {"chains_per_problem": 0}, {"temperature": 0.0}])
def test_bad_settings_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(bad))):
        MendingSettings(**bad)  # type: ignore[arg-type]
