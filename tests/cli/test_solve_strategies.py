"""`deliberate solve` with each strategy on one problem: its tree, its verdict, its cost."""

import re

import pytest

from cli.main import run
from domain.recipe import SPECS
from domain.specs.tree import StepSearch

PROBLEM = "What is 3 + 4 * 2?"
MODELS = ("--policy", "scripted:accuracy=0.7,tokens=40", "--verifier", "scripted:auc=0.9")


@pytest.mark.parametrize("name", SPECS)
def test_it_shows_its_tree_its_verdict_and_its_cost(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert run(["solve", PROBLEM, "--strategy", name, "-n", "4", "--seed", "5", *MODELS]) == 0
    text = capsys.readouterr().out
    rows = dict(re.findall(r"^(\w[\w ]*?)  +(\S.*?) *$", text, re.MULTILINE))
    assert f"{name}: completed" in text
    assert f"{rows['answer']}  " in text.partition(PROBLEM)[2].partition("\nanswer ")[0], "the answer is in the tree"
    assert re.search(r"^[├└]── \S", text, re.MULTILINE)
    assert 0.0 < float(rows["confidence"].split()[0]) <= 1.0
    assert rows["status"] == "completed"
    assert rows["stop reason"] == "complete"
    assert rows["answer"] in rows["why"]
    written, read = map(int, re.findall(r"\d+", rows["tokens"]))
    rollouts, checks = map(int, re.findall(r"\d+", rows["rollouts"]))
    assert written > 0 < rollouts
    assert (read > 0) is (checks > 0)
    assert float(rows["FLOPs"]) >= 2e6 * (written + read), "prompts are paid, too"
    if issubclass(SPECS[name], StepSearch):
        assert "how it grew" in text
