"""Whatever goes wrong at the command line is one line on stderr that says what to do, and exit code 2."""

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.main import BAD_INPUT, run
from tests.support.stack import ROOT

NOWHERE = ["--url", "http://127.0.0.1:1"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("DELIBERATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DELIBERATE_HOME", str(tmp_path))
    (tmp_path / "api_key").write_text("dlb_test\n")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a refused command says."""
    assert run(arguments) == BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert err.startswith("deliberate: ")
    return err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["submit"], "Missing argument"),
        (["submit", "x", "--wat"], "No such option: --wat"),
        (["submit", "x", "--n", "many"], "Invalid value for '--n'"),
        (["submit", " "], "problem is empty"),
        (["submit", "x" * 100_001], "the limit is 100000"),
        (["submit", "x", "-s", "magic"], "unknown strategy 'magic': use one of"),
        (["submit", "x", "-n", "0"], "strategy.n must be from 1 to 4096"),
        (["submit", "x", "-p", "temperature"], "'temperature' is no parameter: write -p name=value"),
        (["submit", "x", "-p", "temperature=hot"], "temperature must be a number"),
        (["submit", "x", "-p", "wat=1"], "has no parameter 'wat'"),
        (["submit", "x", "-p", "selection=best", "-s", "self_consistency"], "has no parameter 'selection'"),
        (["submit", "x", "-e", "heroic"], "unknown effort 'heroic': use one of none, minimal, low"),
        (["solve", "x", "-e", "low", "-s", "beam"], "effort is for the strategy 'adaptive', not 'beam'"),
        (["submit", "x", "--tokens", "-5"], "budget.tokens must be greater than 0"),
        (["submit", "x", "--seconds", "nan"], "budget.seconds must be a number"),
        (["submit", "x", "-c", "1.5"], "confidence must be a number from 0 to 1"),
        (["submit", "x", "-m", "name"], "'name' is no metadata: write -m name=value"),
        (["result", "../etc"], "is not the id of a job"),
        (["submit", "x", *NOWHERE], "nothing answers at http://127.0.0.1:1"),
        (["result", "job_1", *NOWHERE], "start it with `deliberate up`"),
        (["list", "--url", "http://[::bad"], "is not an address"),
        (["list", "--url", "nonsense"], "is not an address"),
        (["solve", "x", "--policy", "/nowhere/model"], "model folder /nowhere/model does not exist"),
        (["solve", "x", "--policy", "scripted:", "--verifier", "/nowhere/prm"], "/nowhere/prm does not exist"),
        (["solve", "x", "--policy", "scripted:wat=1"], "unknown option 'wat'"),
        (["demo", "--problems", "/nowhere/problems.jsonl"], "can't read /nowhere/problems.jsonl"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], part: str) -> None:
    assert part in said(capsys, *arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [("DELIBERATE_PORT", "99999"), ("DELIBERATE_LEASE_S", "soon"), ("DELIBERATE_WEBHOOK_ALLOWED_NETWORKS", "moon")],
)
@pytest.mark.parametrize("command", ["up", "list", "doctor", "demo"])
def test_a_wrong_setting_is_named_by_every_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert f"{name} is not usable" in said(capsys, command)


def test_a_missing_key_names_the_remedy(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "api_key").unlink()
    assert "no API key" in said(capsys, "list")
    assert "run `deliberate up` there first, or set DELIBERATE_API_KEYS" in said(capsys, "keys", "show")


def test_a_key_of_the_environment_comes_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELIBERATE_API_KEYS", "one,two")
    assert run(["keys", "show"]) == 0
    assert capsys.readouterr().out == "one\n"


def test_binary_standard_input_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\xff\xfe\x00")))
    assert "standard input is not UTF-8 text" in said(capsys, "submit", "-")


def test_a_broken_problem_file_names_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text('{"problem": "1 + 1", "answer": "2", "level": 1}\n{"problem": 3}\n')
    assert f"{path}:2 is not" in said(capsys, "demo", "--problems", str(path))
    path.write_text("\n")
    assert "holds no problems" in said(capsys, "demo", "--problems", str(path))


def test_the_console_script_ends_with_the_same_code_and_no_traceback() -> None:
    command = [sys.executable, "-m", "cli.main", "submit", "x", "--n", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == BAD_INPUT
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_the_command_starts_light() -> None:
    code = "import sys, cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "ray", "sqlalchemy", "celery", "httpx", "numpy"}
    assert "typer" in done.stdout.split()
    assert heavy & set(done.stdout.split()) == set()
