"""Files of samples: what is read, and one line for whatever is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.errors import DeliberateError
from tests.support.training_files import chain_line, labels_line, write_lines
from training.hf.files import read_chains, read_labels


def without(line: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != name}


def test_a_labelled_solution_is_what_its_line_says(tmp_path: Path) -> None:
    (one,) = read_labels(write_lines(tmp_path / "l", ["\n", labels_line(4)]))
    assert (one.line, one.problem_id, one.problem) == (2, "p4", "What is 4 + 10?")
    assert (one.labels, one.rollouts, one.answer, one.right) == ((0.75, 1.0), (4, 0), "14", True)
    assert len(one.steps) == 2


def test_a_chain_is_what_its_line_says(tmp_path: Path) -> None:
    (one,) = read_chains(write_lines(tmp_path / "c", [chain_line(5)]))
    assert (one.line, one.problem_id, len(one.attempts)) == (1, "p5", 3)
    assert one.solution.endswith("\\boxed{15}.")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("nonsense\n", "2: this is no JSON"),
        ([1], "2: this is no JSON object"),
        (without(labels_line(1), "labels"), "2: the field 'labels' is missing: add \"labels\": … to this line"),
        (without(labels_line(1), "right"), "2: the field 'right' is missing"),
        (labels_line(1, problem=" "), "2: the field 'problem' must be a text that is not empty"),
        (labels_line(1, steps="one"), "2: the field 'steps' must be a list"),
        (labels_line(1, steps=["a", ""]), "2: the field 'steps' must be a list of texts"),
        (labels_line(1, steps=[], labels=[], rollouts=[]), "2: there is no step: delete the line"),
        (labels_line(1, steps=["a\n\nb", "c"]), "2: a step has a blank line in it: make two steps of it"),
        (labels_line(1, labels=[0.5]), "2: 2 steps have 1 labels: give one for each step"),
        (labels_line(1, rollouts=[4]), "2: 2 steps have 1 rollouts"),
        (labels_line(1, labels=[0.5, 1.5]), "2: the field 'labels' must be a list of numbers from 0 to 1"),
        (labels_line(1, labels=[0.5, float("nan")]), "2: the field 'labels' must be a list of numbers"),
        (labels_line(1, labels=[0.5, True]), "2: the field 'labels' must be a list of numbers"),
        (labels_line(1, rollouts=[4, -1]), "2: the field 'rollouts' must be a list of whole numbers"),
        (labels_line(1, answer="$$"), "2: the answer can't be read"),
        (labels_line(1, right="yes"), "2: the field 'right' must be true or false"),
        (labels_line(2, answer=None), "2: a solution without an answer is called right"),
        (labels_line(0), "2: the same solution stands in line 1 already: delete one of the lines"),
    ],
)
def test_a_bad_line_of_labels_is_named(tmp_path: Path, line: Any, part: str) -> None:
    path = write_lines(tmp_path / "labels.jsonl", [labels_line(0), line])
    with pytest.raises(DeliberateError) as caught:
        read_labels(path)
    assert caught.value.message.startswith(f"{path}:{part}")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (without(chain_line(1), "attempts"), "2: the field 'attempts' is missing"),
        (chain_line(1, attempts="no"), "2: the field 'attempts' must be a list"),
        (chain_line(1, attempts=[f"\\boxed{{{n}}}" for n in range(5)]), "2: 5 attempts are more than the 4"),
        (chain_line(1, solution="So 11."), "2: the solution names no answer"),
        (chain_line(0), "2: the same chain stands in line 1 already"),
    ],
)
def test_a_bad_line_of_chains_is_named(tmp_path: Path, line: Any, part: str) -> None:
    path = write_lines(tmp_path / "chains.jsonl", [chain_line(0), line])
    with pytest.raises(DeliberateError) as caught:
        read_chains(path)
    assert caught.value.message.startswith(f"{path}:{part}")


def test_files_that_teach_nothing(tmp_path: Path) -> None:
    cases = [
        (read_labels, [], "holds no solutions"),
        (read_labels, [labels_line(1), labels_line(3)], "none of the 2 solutions is right: sample more"),
        (read_chains, [], "holds no chains"),
        (read_chains, [chain_line(1, attempts=[])], "no line has an attempt to revise"),
    ]
    for read, lines, part in cases:
        with pytest.raises(DeliberateError, match=part):
            read(write_lines(tmp_path / "file", lines))
    with pytest.raises(DeliberateError, match=r"can't be read \(No such file"):
        read_labels(tmp_path / "none")
    (tmp_path / "latin").write_bytes(b"\xe9\xff\n")
    with pytest.raises(DeliberateError, match="save it as UTF-8"):
        read_chains(tmp_path / "latin")
