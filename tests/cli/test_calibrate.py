"""`deliberate calibrate`: a file that serves the models it names, and one line for bad input."""

import json
from pathlib import Path

import pytest

from cli.main import run
from orchestrator.calibration import read_calibration
from tests.support.calibration import graded_problems


def write_traces(path: Path) -> None:
    lines = []
    for problem in graded_problems(40, samples=6):
        samples = [
            {
                "text": one.text,
                "answer": None if one.answer is None else one.answer.removeprefix("q:"),
                "correct": one.right,
                "finish": "end" if one.answer else "length",
                "prm_step_scores": [] if one.score is None else [one.score],
            }
            for one in problem.samples
        ]
        lines.append(json.dumps({"problem_id": problem.id, "samples": samples}))
    path.write_text("\n".join(lines))


def test_a_calibration_is_fitted_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traces, out = tmp_path / "graded.jsonl", tmp_path / "calibration.json"
    write_traces(traces)
    command = ["calibrate", "--traces", str(traces), "--out", str(out), "--policy", "scripted:seed=1", "--verifier"]
    assert run([*command, "scripted:seed=2"]) == 0
    assert "40 problems" in capsys.readouterr().out
    assert {one.family for one in read_calibration(out).confidence} == {"votes", "scored", "best", "likeliest"}
    assert run([*command, "none"]) == 0
    fitted = read_calibration(out)
    assert [one.family for one in fitted.confidence] == ["votes"]
    assert fitted.verifier == ""


@pytest.mark.parametrize("content", [None, "nonsense\n", '{"samples": []}\n'])
def test_bad_traces_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None) -> None:
    path = tmp_path / "graded.jsonl"
    if content is not None:
        path.write_text(content)
    assert run(["calibrate", "--traces", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "graded.jsonl" in error


def row(name: int, **sample: object) -> dict[str, object]:
    return {"problem_id": name, "samples": [{"text": "a\u2028b", "answer": "1", "correct": name % 2 == 0} | sample] * 4}


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ({"finish": "length"}, "40 graded problems, 0 of them with an answer, are too few"),
        ({"answer": None}, "40 graded problems, 0 of them with an answer, are too few"),
        ({"prm_step_scores": [float("nan")]}, "line 1 is no graded trace"),
        ({"correct": "false"}, "line 1 is no graded trace"),
    ],
)
def test_useless_traces_are_one_line(
    sample: dict[str, object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "graded.jsonl"
    path.write_text("\n".join(json.dumps(row(at, **sample), ensure_ascii=False) for at in range(40)))
    assert run(["calibrate", "--traces", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


@pytest.mark.parametrize("right", [(), (0,), tuple(range(40))])
def test_one_sided_traces_are_fitted_all_the_same(right: tuple[int, ...], tmp_path: Path) -> None:
    traces, out = tmp_path / "graded.jsonl", tmp_path / "calibration.json"
    rows = [row(at, correct=at in right, finish="stop") for at in range(40)]
    traces.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in rows))
    command = ["calibrate", "--traces", str(traces), "--out", str(out), "--policy", "scripted:", "--verifier", "none"]
    assert run(command) == 0
    assert max(read_calibration(out).confidence[0].sure) < 1.0


@pytest.mark.parametrize("cost", ["nan", "-1", "inf"])
def test_a_cost_that_can_t_be_is_refused(cost: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "--traces", "none.jsonl", "--score-cost", cost]) == 2
    assert "score-cost must be a number of at least 0" in capsys.readouterr().err
