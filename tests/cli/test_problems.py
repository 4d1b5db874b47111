"""`deliberate problems`: a file is written whole or not at all, and what is wrong with one is said in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import BAD_INPUT, run
from training.problems import files, partition
from training.problems.generator import generate

GOOD = {"id": "a", "problem": "What is 1 + 1?", "answer": "2"}


def make(out: Path, *arguments: str) -> int:
    return run(["problems", "make", "--out", str(out), *arguments])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a refused command says."""
    capsys.readouterr()
    assert run(["problems", *arguments]) == BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err.removeprefix("deliberate: ").strip()


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_made_problems_have_all_fields_and_pass_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "test.jsonl"
    assert make(out, "--split", "test", "--n", "60", "--seed", "3") == 0
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(records) == 60
    assert all(list(record) == ["id", "problem", "answer", "subject", "level", "solution"] for record in records)
    assert len({(record["subject"], record["level"]) for record in records}) == 30
    assert run(["problems", "check", str(out), "--need", "solution,level"]) == 0
    assert f"{out}: 60 problems, all in order" in capsys.readouterr().out


def test_train_and_test_files_pass_against_each_other(tmp_path: Path) -> None:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    assert make(train, "-n", "90") == 0
    assert make(test, "-n", "90", "--split", "test") == 0
    assert run(["problems", "check", str(test), "--against", str(train)]) == 0


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    chosen = ["--subjects", "algebra,countdown", "--levels", "2, 4", "-n", "8"]
    assert make(tmp_path / "a", *chosen) == make(tmp_path / "b", *chosen) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert make(tmp_path / "c", *chosen, "--seed", "1") == 0
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_nothing_is_overwritten_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = write(tmp_path / "out.jsonl", "mine\n")
    assert "exists already: choose another name, or overwrite it with --force" in refused(
        capsys, "make", "--out", str(out), "-n", "2"
    )
    assert out.read_text() == "mine\n"
    assert make(out, "-n", "2", "--force") == 0
    assert len(out.read_text().splitlines()) == 2


def test_a_failed_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    said = refused(capsys, "make", "--out", str(tmp_path / "out"), "-n", "2")
    assert "No space left on device" in said
    assert "free some space" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--n", "0"], "Invalid value for '--n'"),
        (["--split", "dev"], "unknown split 'dev': use train, calibration, test"),
        (["--subjects", "magic"], "unknown subject 'magic': use arithmetic, algebra"),
        (["--subjects", ""], "name at least one subject"),
        (["--levels", "9"], "unknown level 9"),
        (["--levels", "hard"], "levels are whole numbers from 1 to 5"),
        (["--subjects", "algebra", "--levels", "1", "--split", "test", "--n", "9999"], "ask for fewer"),
    ],
)
def test_bad_requests_are_one_line_and_write_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    part: str,
) -> None:
    monkeypatch.setattr(partition, "MAX_MISSES", 60)
    assert part in refused(capsys, "make", "--out", str(tmp_path / "out"), *arguments)
    assert list(tmp_path.iterdir()) == []


def test_places_that_can_t_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is a folder: name a file" in refused(capsys, "make", "--out", str(tmp_path))
    said = refused(capsys, "make", "--out", str(tmp_path / "no" / "where"), "-n", "1")
    assert "can't be written (No such file or directory)" in said


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("nonsense\n", "2: this is no JSON: put one JSON object on each line"),
        ([1], "2: this is no JSON object"),
        ({"id": "b", "answer": "2"}, "2: the field 'problem' is missing: add \"problem\": … to this line"),
        ({"id": "b", "problem": " ", "answer": "2"}, "2: the field 'problem' must be a text that is not empty"),
        ({"id": "b", "problem": "p", "answer": 2}, "2: the field 'answer' must be a text"),
        ({"id": "b", "problem": "p", "answer": "2", "level": "3"}, "2: the field 'level' must be a whole number"),
        ({"id": "b", "problem": "p", "answer": "2", "level": True}, "2: the field 'level' must be a whole number"),
        ({"id": "b", "problem": "p", "answer": r"\frac{1}{2"}, "2: the answer can't be read"),
        ({"id": "b", "problem": "p", "answer": "$$"}, "2: the answer can't be read"),
        ({"id": "b", "problem": "p", "answer": "2", "solution": "so"}, "2: the solution names no answer"),
        (
            {"id": "b", "problem": "p", "answer": "2", "solution": r"\boxed{3}"},
            "2: the solution ends in another answer",
        ),
        (GOOD, "2: the id stands in line 1 already"),
        (GOOD | {"id": "b", "problem": "what is  1 + 1?"}, "2: the problem stands in line 1 already"),
        ('{"a": ' + "[" * 100_000 + "\n", "2: this is no JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: Any, part: str) -> None:
    path = write(tmp_path / "mine.jsonl", GOOD, line)
    before = path.read_bytes()
    assert f"{path}:{part}" in refused(capsys, "check", str(path))
    assert path.read_bytes() == before


def test_a_needed_field_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "mine.jsonl", GOOD)
    assert run(["problems", "check", str(path)]) == 0
    assert f"{path}:1: the field 'solution' is missing" in refused(capsys, "check", str(path), "--need", "solution")


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"id": "1", "problem": "What is 1 + 1?", "answer": "2"}).encode())
    assert run(["problems", "check", str(path)]) == 0


def test_files_that_hold_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "can't be read (No such file" in refused(capsys, "check", str(tmp_path / "none"))
    assert "can't be read (Is a directory)" in refused(capsys, "check", str(tmp_path))
    assert "holds no problems" in refused(capsys, "check", str(write(tmp_path / "empty", "\n")))
    (tmp_path / "latin").write_bytes(b"\xe9\xff\n")
    assert "save it as UTF-8" in refused(capsys, "check", str(tmp_path / "latin"))


def test_overlap_between_two_files_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write(tmp_path / "train", {"id": "z", "problem": "Other", "answer": "1"}, GOOD)
    test = write(tmp_path / "test", GOOD | {"id": "b"})
    said = refused(capsys, "check", str(test), "--against", str(train))
    assert said == f"{test}:1: the same problem stands in {train}:2: delete one of them"
    near = write(tmp_path / "near", {"id": "a", "problem": "What is $2 + 3 + 4$?", "answer": "9"})
    other = write(tmp_path / "other", {"id": "a", "problem": "Compute $4 + 3 + 2$.", "answer": "9"})
    assert "only in its phrasing or the order of its numbers" in refused(
        capsys, "check", str(near), "--against", str(other)
    )


def test_a_generated_problem_is_what_its_line_says(tmp_path: Path) -> None:
    made = generate("algebra", 2, 5)
    path = tmp_path / "one"
    assert files.write_problems(path, [made]) == 1
    (record,) = files.read_problems(path, need=("solution", "subject", "level"))
    assert (record.id, record.problem, record.answer, record.solution) == (
        made.id, made.problem, made.answer, made.solution,
    )  # fmt: skip
