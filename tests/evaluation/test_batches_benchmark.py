"""The parts of `evaluation.batches` that judge: a wrong sample is seen, and the file is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.batches import Watch, write_batch


def state(status: str = "in_progress", **counts: int) -> dict[str, Any]:
    whole = {"total": 10, "waiting": 4, "running": 2, "completed": 3, "failed": 1, "invalid": 0, "written": 2}
    return {"status": status, "counts": whole | counts}


def test_right_samples_pass() -> None:
    watch = Watch(10)
    for sample in (
        state("validating", total=5, waiting=5, running=0, completed=0, failed=0, written=0),
        state(),
        state(waiting=3, completed=4),
        state("completed", waiting=0, running=0, completed=9, written=10),
    ):
        watch.see(sample)
    assert (watch.samples, watch.wrong) == (4, [])


@pytest.mark.parametrize(
    "sample",
    [
        state(waiting=5),
        state(waiting=7, running=-1),
        state(written=5),
        state(waiting=5, completed=2),
        state(total=9, waiting=3),
    ],
)
def test_wrong_samples_are_seen(sample: dict[str, Any]) -> None:
    watch = Watch(10)
    watch.see(state())
    watch.see(sample)
    assert watch.wrong


def test_problems_are_repeated_with_new_ids(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "problem": "x"}\n{"id": "2", "question": "y"}\n')
    write_batch(tmp_path / "out", tmp_path, 5)
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [line["problem"] for line in lines] == ["x", "y", "x", "y", "x"]
    assert len({line["id"] for line in lines}) == 5
