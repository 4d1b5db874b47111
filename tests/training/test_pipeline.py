"""`deliberate train all --smoke`: the whole pipeline at tiny sizes, twice: the same weights, also after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from inference.checks import REVISER
from training.artifacts.checksums import verify_sums
from training.artifacts.manifest import without_timing
from training.pipeline.cards import write_cards
from training.pipeline.stages import Stages
from training.pipeline.workshop import Stage, Workshop
from training.recipe import RECIPES, read_recipe

RECIPE = RECIPES / "nano-cpu.toml"
LIMIT_S = 300


def start(out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cli.main", "train", "all", "--config", str(RECIPE), "--smoke", "--out", str(out)]
    log = (out.parent / f"{out.name}.log").open("ab")
    with log:
        return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=log, stderr=log)


def finish(run: subprocess.Popen[bytes]) -> None:
    assert run.wait(LIMIT_S) == 0


def kill_when(run: subprocess.Popen[bytes], work: Path, pattern: str) -> None:
    """SIGKILL as soon as a file like `pattern` is in the work folder."""
    deadline = time.monotonic() + LIMIT_S
    while not list(work.glob(pattern)):
        assert run.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait(30)


@pytest.mark.integration
def test_the_whole_pipeline_gives_the_same_models_with_and_without_kills(tmp_path: Path) -> None:
    straight = start(tmp_path / "straight")
    killed = start(tmp_path / "killed")
    work = tmp_path / ".killed.work"
    kill_when(killed, work, "base-*/checkpoint.pt")
    killed = start(tmp_path / "killed")
    kill_when(killed, work, "labels-*/labels.jsonl.journal")
    killed = start(tmp_path / "killed")
    finish(straight)
    finish(killed)
    assert not list((tmp_path / "killed").glob(".*"))
    for name in (*Stages.names, f"policy/{REVISER}"):
        one, other = (
            json.loads((tmp_path / run / name / "manifest.json").read_text()) for run in ("straight", "killed")
        )
        one["command"] = other["command"] = ""
        assert without_timing(one) == without_timing(other)
        assert verify_sums(tmp_path / "straight" / name)
        assert "deliberate train all" in (tmp_path / "straight" / name / "README.md").read_text()
    assert all(start_of(tmp_path / "straight" / name) for name in ("policy", f"policy/{REVISER}", "small", "large"))


def start_of(folder: Path) -> str:
    """A few tokens, by transformers alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("Q: What is $2 + 3$?\nA:\n", return_tensors="pt")
    written = AutoModelForCausalLM.from_pretrained(folder).generate(**ids, max_new_tokens=4, do_sample=False)
    return str(tokenizer.decode(written[0]))


def test_a_recipe_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    text = RECIPE.read_text()
    for change, complaint in (
        (text.replace("pass_rate = ", "pass_rates = "), "policy.pass_rates is unknown: use pass_rate"),
        (text.replace("pass_rate = 0.19", ""), "policy.pass_rate is missing"),
        (text.replace("pass_rate = 0.19", 'pass_rate = "much"'), "policy.pass_rate must be a number"),
        (text.replace("seed = 20261120", "seed = [", 1), "is no TOML"),
        (text.replace("pass_rate = 0.19", "pass_rate = [0.19]"), "policy.pass_rate must be a number"),
        (text.replace("pass_rate = 0.19", "pass_rate = -0.19"), "policy.pass_rate must be a number of at least 0"),
        (text.replace("pass_rate = 0.19", "pass_rate = nan"), "policy.pass_rate must be a number of at least 0"),
        (text.replace("pass_rate = 0.19", "pass_rate = 1.5"), "must be at most 1"),
        (text.replace("heads = 4", "heads = 5"), "model.heads must divide model.hidden"),
        (text.replace("heads = 4", "heads = 0"), "model.heads must divide model.hidden"),
        (text.replace("layers = 6", "layers = 0"), "model.layers must be at least 1"),
        (text.replace("share = 0.8", "share = 0.7"), "the shares must add up to 1"),
        (text.replace("share = 0.8, levels", "share = 0.8, level"), "base.stages.3.level is unknown"),
        (text.replace("[3, 2, 1, 0, 0]", "[3, 2, 1]"), "each needs 5 levels"),
        (text.replace("[3, 2, 1, 0, 0]", "3"), "base.stages.1.levels must be a list"),
        (text.replace("train_per_cell = 3000", "train_per_cell = 3000\nlevels = 3"), "data.levels must be a list"),
        (text.replace("train_per_cell = 3000", "train_per_cell = 3000\nlevels = [9]"), "numbers from 1 to 5"),
    ):
        path = tmp_path / "recipe.toml"
        path.write_text(change)
        with pytest.raises(ConfigurationError, match=complaint):
            read_recipe(path)


def test_two_runs_do_not_share_a_work_folder(tmp_path: Path) -> None:
    refused = pytest.raises(ConfigurationError, match=r"another run works in .*work now: wait for it")
    with Workshop(tmp_path / "work").alone(), refused, Workshop(tmp_path / "work").alone():
        pass
    with Workshop(tmp_path / "work").alone():
        pass


def test_a_work_folder_that_can_t_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = pytest.raises(ConfigurationError, match=r"can't be used .*choose another folder")
    with refused, Workshop(tmp_path / "file" / "work").alone():
        pass


@pytest.mark.parametrize("torn", ["", "{", "[]", "{}", '{"facts": 1, "seconds": 2}', "\x00\x00"])
def test_a_stage_whose_end_is_torn_is_made_again(torn: str, tmp_path: Path) -> None:
    def made() -> Stage:
        return Workshop(tmp_path).stage("one", 1, [], lambda folder: {"made": made_times.append(1)})

    made_times: list[int] = []
    folder = made().folder
    assert made().facts == {"made": None}
    assert len(made_times) == 1
    (folder / "done.json").write_text(torn)
    assert made().facts == {"made": None}
    assert len(made_times) == 2


@pytest.mark.parametrize("results", ["[]", "{}", "3", '{"pass1": 0.5}'])
def test_cards_need_results_and_models(results: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(results)
    with pytest.raises(ConfigurationError, match="name the JSON that"):
        write_cards(tmp_path, tmp_path / "results.json")


def test_a_smoke_recipe_replaces_single_numbers_only() -> None:
    full, smoke = read_recipe(RECIPE), read_recipe(RECIPE, smoke=True)
    assert smoke.base.steps < full.base.steps
    assert smoke.base.other_rate == full.base.other_rate
    assert smoke.model.context == full.model.context
