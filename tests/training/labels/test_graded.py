"""Graded traces: the recorded shape, sampling order, scores of equal texts, and what has no score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.errors import EngineError
from domain.moves import split_steps
from training.labels.calls import Model
from training.labels.graded import GradedSettings, make_graded
from training.problems.files import ProblemRecord

POLICY, VERIFIER = "scripted:accuracy=0.5,tokens=40", "scripted:auc=0.9"


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_has_the_recorded_shape(tmp_path: Path, problems: list[ProblemRecord]) -> None:
    out = make_graded(POLICY, VERIFIER, problems, GradedSettings(6), tmp_path / "graded.jsonl")
    found = rows(out)
    assert [row["problem_id"] for row in found] == [problem.id for problem in problems]
    assert list(found[0]) == ["problem_id", "question", "gold", "subject", "level", "samples", "greedy"]
    samples = [sample for row in found for sample in row["samples"]]
    assert len(samples) == 6 * len(problems)
    assert set(samples[0]) == {
        "text", "answer", "completion_tokens", "finish", "logprob", "correct", "prm_step_scores",
    }  # fmt: skip
    assert 0.3 < sum(sample["correct"] for sample in samples) / len(samples) < 0.7
    assert all(len(sample["prm_step_scores"]) == len(split_steps(sample["text"])) for sample in samples)
    assert all(sample["correct"] == (sample["answer"] == row["gold"]) for row in found for sample in row["samples"])
    assert all(set(row["greedy"]) == set(samples[0]) and row["greedy"]["prm_step_scores"] for row in found)


def test_equal_texts_are_scored_once_and_unfinished_ones_are_there(
    tmp_path: Path, problems: list[ProblemRecord]
) -> None:
    short = GradedSettings(8, max_tokens=20)
    found = rows(make_graded(POLICY, VERIFIER, problems, short, tmp_path / "short.jsonl"))
    samples = [sample for row in found for sample in row["samples"]]
    assert {sample["finish"] for sample in samples} == {"length"}
    assert all(sample["answer"] is None and not sample["correct"] for sample in samples)
    counts = json.loads((tmp_path / "short.jsonl.manifest.json").read_text())["counts"]
    pairs = {(row["question"], one["text"]) for row in found for one in (*row["samples"], row["greedy"])}
    assert counts["distinct_texts_scored"] == len(pairs) < len(samples)


def test_a_search_may_go_without_a_verifier(tmp_path: Path, problems: list[ProblemRecord]) -> None:
    found = rows(make_graded(POLICY, None, problems, GradedSettings(2), tmp_path / "graded.jsonl"))
    assert {sample["prm_step_scores"] for row in found for sample in row["samples"]} == {None}


class ShortSighted:
    """A verifier that refuses what is longer than a few characters."""

    def __init__(self, core: object) -> None:
        self._core = core

    def __getattr__(self, name: str) -> object:
        return getattr(self._core, name)

    def add(self, request: object) -> None:
        if len(request.solution) > 30:  # type: ignore[attr-defined]
            raise EngineError("too long", retryable=False)
        self._core.add(request)  # type: ignore[attr-defined]


def test_what_the_verifier_can_not_read_has_no_score(
    tmp_path: Path, problems: list[ProblemRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Model.load
    monkeypatch.setattr(Model, "load", lambda self: load(self) if self.kind == "policy" else ShortSighted(load(self)))
    cut = rows(make_graded(POLICY, VERIFIER, problems, GradedSettings(4, max_tokens=20), tmp_path / "cut.jsonl"))
    scored = {len(s["text"]) <= 30: s["prm_step_scores"] is not None for row in cut for s in row["samples"]}
    assert scored == {False: False} or scored == {True: True, False: False}
    with pytest.raises(EngineError, match="too long for the verifier"):
        make_graded(POLICY, VERIFIER, problems, GradedSettings(4), tmp_path / "whole.jsonl")
