"""Step labels: their arithmetic by hand, deduplication, and what is left out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from domain.errors import ConfigurationError, InvalidRequest
from domain.moves import FinishReason
from domain.ports import SampleRequest
from training.labels.monte_carlo import LabelSettings, make_labels
from training.problems.files import ProblemRecord

ONE = [ProblemRecord(1, "p", "What is 6 times 7?", "42")]
END, LENGTH = FinishReason.END, FinishReason.LENGTH
SAMPLES = [
    ("Six.\n\nSeven.\n\n\\boxed{42}", END),
    ("Six.\n\nEight.\n\n\\boxed{48}", END),
    ("Six.\n\nSeven.\n\n\\boxed{42}", END),  # again: costs nothing
    ("Six.\n\nSeven.\n\nWell, \\boxed{\\frac{84}{2}}", END),
    ("Six.\n\nSeven.\n\n\\boxed{42}", LENGTH),  # cut: no solution
]
ENDS = {
    "Six.\n\n": ["\\boxed{42}", "\\boxed{41}", "\\boxed{48}", "no answer"],
    "Six.\n\nSeven.\n\n": ["\\boxed{42}", "\\boxed{42}", "\\boxed{84/2}", "\\boxed{42"],
    "Six.\n\nEight.\n\n": ["\\boxed{48}", "\\boxed{48}", "\\boxed{48}", "\\boxed{48}"],
}


def script(request: SampleRequest, index: int) -> tuple[str, FinishReason]:
    return (ENDS[request.prefix][index], END) if request.prefix else SAMPLES[index]


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def manifest(path: Path) -> dict:
    return json.loads(path.with_name(path.name + ".manifest.json").read_text())


def test_labels_are_the_share_of_rollouts_that_end_right(told, tmp_path: Path) -> None:
    engine = told(script)
    out = make_labels("told", ONE, LabelSettings(samples=5, rollouts=4), tmp_path / "labels.jsonl")
    found = rows(out)
    assert [row["labels"] for row in found] == [[0.25, 0.75, 1.0], [0.25, 0.0, 0.0], [0.25, 0.75, 1.0]]
    assert [row["rollouts"] for row in found] == [[4, 4, 0]] * 3
    assert [(row["answer"], row["right"]) for row in found] == [("42", True), ("48", False), ("\\frac{84}{2}", True)]
    assert found[1]["steps"] == ["Six.", "Eight.", "\\boxed{48}"]
    assert Counter(request.prefix for request in engine.asked if request.prefix) == dict.fromkeys(ENDS, 4)
    seeds = [request.seed for request in engine.asked]
    assert len(set(seeds)) == len(seeds)


def test_the_manifest_counts(told, tmp_path: Path) -> None:
    told(script)
    counts = manifest(make_labels("told", ONE, LabelSettings(5, 4), tmp_path / "labels.jsonl"))["counts"]
    assert (counts["solutions"], counts["finished"], counts["distinct"], counts["distinct_right"]) == (5, 4, 3, 2)
    assert (counts["rollouts"], counts["rollouts_without_deduplication"]) == (12, 4 * 2 * 4)
    assert counts["labels"] == {"0.0": 1, "0.25": 1, "0.75": 1}
    assert counts["sampled"] == 5 + 12


def test_after_a_zero_nothing_is_rolled_out_if_so_asked(told, tmp_path: Path) -> None:
    dead = {"a\n\n": ["no"] * 2, "a\n\nb\n\n": ["\\boxed{42}"] * 2, "c\n\n": ["\\boxed{42}", "no"]}

    def tell(request: SampleRequest, index: int) -> tuple[str, FinishReason]:
        if request.prefix:
            return dead[request.prefix][index], END
        return ("a\n\nb\n\n\\boxed{42}", "c\n\n\\boxed{1}")[index], END

    engine = told(tell)
    full = rows(make_labels("told", ONE, LabelSettings(2, 2), tmp_path / "full.jsonl"))
    assert [row["labels"] for row in full] == [[0.0, 1.0, 1.0], [0.5, 0.0]]
    engine.asked.clear()
    short = rows(make_labels("told", ONE, LabelSettings(2, 2, stop_at_zero=True), tmp_path / "short.jsonl"))
    assert [row["labels"] for row in short] == [[0.0, 0.0, 1.0], [0.5, 0.0]]
    assert [row["rollouts"] for row in short] == [[2, 0, 0], [2, 0]]
    assert {request.prefix for request in engine.asked} == {"", "a\n\n", "c\n\n"}


def test_a_problem_without_a_finished_solution_gives_no_line(told, tmp_path: Path) -> None:
    told(lambda request, index: ("on and on", LENGTH) if "times" in request.problem else ("\\boxed{1}", END))
    both = [*ONE, ProblemRecord(2, "q", "What is 1?", "1")]
    out = make_labels("told", both, LabelSettings(2, 2), tmp_path / "labels.jsonl")
    assert [(row["problem_id"], row["labels"]) for row in rows(out)] == [("q", [1.0])]
    assert manifest(out)["counts"]["problems_without"] == 1


def test_answers_are_compared_by_symbols_where_normal_forms_differ(told, tmp_path: Path) -> None:
    told(lambda request, index: ((r"\boxed{1 + x}", r"\boxed{x + 2}", r"\boxed{2x + 1 - x}")[index], END))
    problem = [ProblemRecord(1, "p", "Say x + 1.", "x + 1")]
    out = make_labels("told", problem, LabelSettings(3, 1), tmp_path / "labels.jsonl")
    assert [row["right"] for row in rows(out)] == [True, False, True]


def test_a_file_that_is_complete_is_not_made_again(told, tmp_path: Path) -> None:
    engine = told(script)
    out = make_labels("told", ONE, LabelSettings(5, 4), tmp_path / "labels.jsonl")
    engine.asked.clear()
    before = out.read_bytes()
    make_labels("told", ONE, LabelSettings(5, 4), out)
    assert not engine.asked
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.jsonl", "labels.jsonl.manifest.json"]


def test_another_run_never_overwrites_a_file(told, tmp_path: Path) -> None:
    told(script)
    out = make_labels("told", ONE, LabelSettings(5, 4), tmp_path / "labels.jsonl")
    before = out.read_bytes()
    with pytest.raises(ConfigurationError, match="exists already"):
        make_labels("told", ONE, LabelSettings(5, 4, seed=1), out)
    strange = tmp_path / "strange.jsonl"
    strange.write_text("mine")
    with pytest.raises(ConfigurationError, match="exists already"):
        make_labels("told", ONE, LabelSettings(5, 4), strange)
    with pytest.raises(ConfigurationError, match="does not exist"):
        make_labels("told", ONE, LabelSettings(5, 4), tmp_path / "nowhere" / "labels.jsonl")
    assert (out.read_bytes(), strange.read_text()) == (before, "mine")


@pytest.mark.parametrize(
    "bad", [{"samples": 0}, {"rollouts": 0}, {"max_tokens": 0}, {"temperature": 0.0}, {"samples": 1.5}]
)
def test_bad_settings_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        LabelSettings(**bad)  # type: ignore[arg-type]
    assert caught.value.param in bad


def test_problems_must_be_there_and_differ(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no problems"):
        make_labels("scripted", [], LabelSettings(), tmp_path / "x")
    with pytest.raises(InvalidRequest, match="same id"):
        make_labels("scripted", ONE * 2, LabelSettings(), tmp_path / "x")
    with pytest.raises(InvalidRequest, match="workers"):
        make_labels("scripted", ONE, LabelSettings(), tmp_path / "x", workers=0)
    with pytest.raises(ConfigurationError, match="does not exist"):
        make_labels("./no/such/model", ONE, LabelSettings(), tmp_path / "x")
