"""From options to the body of a submission, and what the help says about them."""

from __future__ import annotations

import pytest

from cli import request
from cli.main import run
from domain.effort import EFFORTS, adaptive_for, parse_search
from domain.recipe import SPECS


@pytest.mark.parametrize("default", ["best_of_n", "adaptive"])
def test_without_a_name_it_is_the_default_or_what_effort_is_for(monkeypatch: pytest.MonkeyPatch, default: str) -> None:
    monkeypatch.setattr("cli.request.DEFAULT_STRATEGY", default)
    assert request.strategy(None, 4, ["temperature=1"]) == {"name": default, "n": 4, "temperature": 1.0}
    assert request.strategy(None, 4, [], "low") == {"name": "adaptive", "n": 4}
    assert parse_search(request.strategy(None, None, [], "low"), "low") == adaptive_for("low")


@pytest.mark.parametrize("command", ["submit", "solve", "replay"])
def test_the_help_names_every_strategy(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    # Names are broken over lines where a column ends.
    said = "".join(capsys.readouterr().out.split())
    assert all(name in said for name in SPECS)
    assert command == "replay" or ",".join(EFFORTS) in said
