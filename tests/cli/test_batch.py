"""`deliberate batch` against a running service, with real control and orchestrator processes."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import batch_run
from cli.batch_service import BatchService
from cli.main import BAD_INPUT, run
from cli.stack.background import BackgroundStack
from cli.view import batch as view

pytestmark = pytest.mark.integration
Say = Callable[..., str]


@pytest.fixture
def say(stack: BackgroundStack, monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> Say:
    monkeypatch.setenv("DELIBERATE_HOME", str(stack.settings.home))

    def call(*arguments: object, code: int = 0) -> str:
        capfdbinary.readouterr()
        assert run([str(one) for one in arguments]) == code
        out, err = capfdbinary.readouterr()
        return (err if code else out).decode()

    return call


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def ids_in(path: Path) -> list[str]:
    return sorted(json.loads(line)["custom_id"] for line in path.read_text().splitlines())


def test_a_run_writes_results_and_errors_and_can_be_shown(say: Say, tmp_path: Path) -> None:
    lines = [{"id": f"p{number:02}", "problem": f"What is {number} + 4?"} for number in range(12)]
    problems = write(tmp_path / "p.jsonl", [*lines, {"id": "bad"}])
    batch = json.loads(say("batch", "run", problems, "-s", "self_consistency", "-n", 1, "--tokens", 100_000, "--json"))
    assert batch["status"] == "completed"
    assert (batch["counts"]["completed"], batch["counts"]["invalid"]) == (12, 1)
    assert batch["usage"]["generated_tokens"] == 12 * 40
    assert ids_in(tmp_path / "p.results.jsonl") == [line["id"] for line in lines]
    assert ids_in(tmp_path / "p.errors.jsonl") == ["bad"]
    assert list(tmp_path.glob(".*")) == []
    assert batch["id"] in say("batch", "list")
    assert "line 13   invalid_request" in say("batch", "show", batch["id"])
    rows = list(csv.DictReader(io.StringIO(say("batch", "results", batch["id"], "-f", "csv"))))
    assert [row["custom_id"] for row in rows] == [*(line["id"] for line in lines), "bad"]
    assert say("batch", "cancel", batch["id"]) == f"{batch['id']} is completed\n"


def test_an_interrupted_run_goes_on_where_it_was(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [{"id": f"p{number:02}", "problem": f"What is {number} + 4?"} for number in range(20)]
    problems = write(tmp_path / "p.jsonl", lines)
    arguments = ("batch", "run", problems, "-s", "self_consistency", "-n", 1)
    fetched = batch_run.fetch

    def interrupted(service: BatchService, batch: Any, places: batch_run.Places) -> None:
        fetched(service, batch, places)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(batch_run, "fetch", interrupted)
        assert "come back with --resume" in say(*arguments, code=130)
    assert "--resume" in say(*arguments, code=BAD_INPUT)
    say(*arguments, "--resume")
    assert ids_in(tmp_path / "p.results.jsonl") == [line["id"] for line in lines]
    assert "nothing to resume" in say(*arguments, "--resume", code=BAD_INPUT)


def test_what_is_wrong_is_one_line(say: Say, tmp_path: Path) -> None:
    assert "can't be read" in say("batch", "run", tmp_path / "none.jsonl", code=BAD_INPUT)
    assert "not the id of a batch" in say("batch", "show", "job_1", code=BAD_INPUT)
    assert "no such batch" in say("batch", "pause", "batch_" + "0" * 26, code=BAD_INPUT)
    assert "unknown format" in say("batch", "results", "batch_" + "0" * 26, "-f", "xls", code=BAD_INPUT)


def test_cost_and_estimate_are_told_in_words() -> None:
    batch = {
        "usage": {"generated_tokens": 1000, "verified_tokens": 200, "flops": 3e9},
        "estimate": {"tokens": 2400, "seconds_left": 4000.0},
        "budget": {"tokens": 5000},
        "counts": {"failed": 2},
    }
    assert view.note(batch) == "1,200 tokens of about 2,400 (budget 5,000) · 3e+09 FLOPs · 2 failed · 1 h 6 min left"
