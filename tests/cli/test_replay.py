"""`deliberate replay`: one JSON line at the end, from files and from our own traces; bad input in one line."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli.main import BAD_INPUT, run
from domain.budget import Spend
from domain.events import IssuedMove, MoveSettled, MovesIssued
from domain.moves import Answer, FinishReason, Sampled, Scored
from domain.ports import JobWrite
from domain.problem import text_problem
from storage.database import Database
from storage.jobs import Jobs
from storage.keys import Keys
from storage.leases import PostgresJobStore
from tests.support.jobs import new_job

COST = Spend(prompt_tokens=10, generated_tokens=20, flops=6e6, rollouts=1)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("DELIBERATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DELIBERATE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rows = [
        {"id": "easy", "gold": "1/2", "samples": [{"answer": "0.5", "completion_tokens": 10}] * 40},
        {"id": "hard", "gold": "1", "samples": [{"answer": str(at % 3), "completion_tokens": 10} for at in range(40)]},
    ]
    path = tmp_path / "record.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def replayed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["replay", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(["replay", *arguments]) == BAD_INPUT
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_a_file_is_replayed(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = replayed(capsys, "--source", str(source), "-s", "adaptive_voting", "-p", "rule=beta", "--seeds", "2")
    assert {"accuracy", "mean_samples", "mean_tokens", "pass1", "majority_all", "n"} <= set(found)
    assert found["n"] == 2
    assert found["pass1"] == pytest.approx((1 + 13 / 40) / 2)
    assert 4 < found["mean_samples"] <= 22
    assert found["mean_tokens"] == 10 * found["mean_samples"]
    assert found["accuracy"] in (0.5, 0.75, 1.0)


def test_a_limit_a_confidence_and_a_token_limit(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    easy = ("--source", str(source), "-s", "self_consistency", "-n", "40", "--limit", "1")
    assert replayed(capsys, *easy)["mean_samples"] == 40
    assert replayed(capsys, *easy, "-c", "0.8")["mean_samples"] < 20
    assert replayed(capsys, *easy, "-p", "max_tokens=9")["accuracy"] == 0
    assert replayed(capsys, *easy, "--rollouts", "3")["mean_samples"] == 3


def test_what_a_reader_must_know_is_said_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "thin.jsonl"
    path.write_text(json.dumps({"id": 1, "samples": [{"answer": "1"}, {"answer": "2"}]}) + "\n")
    assert run(["replay", "--source", str(path), "-s", "self_consistency", "-n", "4"]) == 0
    out, err = capsys.readouterr()
    assert "3 of 3 searches asked for more samples than are recorded" in err
    assert "can't be graded" in err
    assert "0% of the samples say how many tokens" in err
    found = json.loads(out.splitlines()[-1])
    assert (found["accuracy"], found["mean_tokens"], found["mean_samples"]) == (None, None, 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say what to replay: either --source FILE_OR_FOLDER, or --job ID"),
        (["--source", "SOURCE", "--job", "job_1"], "say what to replay"),
        (["--source", "/nowhere.jsonl"], "/nowhere.jsonl can't be read"),
        (
            ["--source", "SOURCE", "-s", "best_of_n"],
            "best_of_n needs a verifier, and this record has no prm_step_scores",
        ),
        (["--source", "SOURCE", "-s", "magic"], "unknown strategy 'magic'"),
        (["--source", "SOURCE", "--seeds", "0"], "Invalid value for '--seeds'"),
        (["--job", "job_1"], "no stack runs in"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], said: str, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, *(str(source) if part == "SOURCE" else part for part in arguments))


# ------------------------------------------------------------------------------------------- our own traces


def sampled(number: int, answer: str) -> MoveSettled:
    outcome = Sampled(
        f"sample-{number}", f"so \\boxed{{{answer}}}", FinishReason.END, Answer(answer, f"q:{answer}"), -1.0, COST
    )
    return MoveSettled(f"call-{number}", outcome)


async def submit(url: str, answers: list[str], metadata: dict[str, str]) -> str:
    """A job with these sampled and scored answers, and one step that is no whole solution."""
    database = Database.open(url, pool_size=1)
    try:
        tenant = await Keys(database).ensure_tenant()
        job = new_job(tenant, problem=text_problem("What is 6 · 7?"), metadata=tuple(metadata.items()))
        record, _ = await Jobs(database).submit(job)
        (claim,) = await PostgresJobStore(database).claim("w", 1, 60)
        numbers = range(1, len(answers) + 1)
        moves = [IssuedMove(f"sample-{number}", "sample", number, 0, number, 512) for number in numbers]
        moves.append(IssuedMove("sample-99", "sample", 99, 1, 99, 512))
        events: list[Any] = [MovesIssued(32, tuple(moves))]
        events += [sampled(number, answer) for number, answer in reversed(list(zip(numbers, answers, strict=True)))]
        events += [sampled(99, "0"), MovesIssued(32, (IssuedMove("score-1", "score", 1, 1, 5, 0),))]
        events.append(MoveSettled("scored", Scored("score-1", (0.25, 0.75), Spend(verifier_calls=1))))
        await PostgresJobStore(database).commit([JobWrite(claim.job, 1, 1, tuple(events), (), COST)])
        return str(record.id)
    finally:
        await database.close()


@pytest.mark.integration
def test_our_own_traces_are_replayed_and_exported(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = asyncio.run(submit(database_url, ["42", "41", "42"], {"run": "a", "gold": "42"}))
    second = asyncio.run(submit(database_url, ["42"], {"run": "b"}))
    monkeypatch.setenv("DELIBERATE_DATABASE_URL", database_url)
    voting = ("-s", "self_consistency", "-n", "3", "--seeds", "1")
    found = replayed(capsys, "--job", first, *voting)
    assert (found["n"], found["accuracy"], found["mean_samples"], found["mean_tokens"]) == (1, 1.0, 3, 60)
    assert found["pass1"] == pytest.approx(2 / 3)
    assert replayed(capsys, "--metadata", "run=b", *voting)["accuracy"] is None
    golds = tmp_path / "problems.jsonl"
    golds.write_text(json.dumps({"problem": "What is 6 · 7?", "answer": "42"}) + "\n")
    assert replayed(capsys, "--metadata", "run=b", "--problems", str(golds), *voting)["accuracy"] == 1.0
    out = tmp_path / "export.jsonl"
    assert run(["replay", "--job", first, "--job", second, "--export", str(out)]) == 0
    (line,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert [sample["answer"] for sample in line["samples"]] == ["42", "41", "42", "42"]
    assert line["samples"][0]["prm_step_scores"] == [0.25, 0.75]
    assert replayed(capsys, "--source", str(out), *voting)["pass1"] == 0.75
    assert "is there already" in refused(capsys, "--job", first, "--export", str(out))
    assert "no such job" in refused(capsys, "--job", "job_1")
    assert "these jobs sampled no whole solution" in refused(capsys, "--metadata", "run=c")
