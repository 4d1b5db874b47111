"""The health check of processes without HTTP."""

import os
from pathlib import Path

import pytest

from workers.health import main
from workers.heartbeat import OLDEST_S, Heartbeat


def test_a_beating_heart_is_healthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Heartbeat(tmp_path, "control").beat()
    assert main(["control"], {"DELIBERATE_HOME": str(tmp_path)}) == 0
    assert capsys.readouterr().out == "control: healthy\n"


def test_no_beat_and_an_old_beat_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = {"DELIBERATE_HOME": str(tmp_path)}
    assert main(["orchestrator"], env) == 1
    assert "not running" in capsys.readouterr().err
    Heartbeat(tmp_path, "orchestrator").beat()
    then = (tmp_path / "run" / "orchestrator.heartbeat").stat().st_mtime - OLDEST_S - 5
    os.utime(tmp_path / "run" / "orchestrator.heartbeat", (then, then))
    assert main(["orchestrator"], env) == 1
    assert "15 s ago" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["control", "more"]])
def test_wrong_use_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments, {}) == 2
    assert capsys.readouterr().err.startswith("usage: python -m workers.health")


def test_a_wrong_setting_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["control"], {"DELIBERATE_PORT": "none"}) == 2
    assert "DELIBERATE_PORT" in capsys.readouterr().err
