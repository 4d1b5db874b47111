"""A run that was killed goes on, and ends as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer

from domain.errors import ConfigurationError
from tests.support.training_files import labels_file, problems_file
from training.artifacts.manifest import without_timing
from training.hf.prm import train_prm
from training.hf.settings import Settings
from training.hf.sft import train_sft

LORA = Settings(max_steps=6, batch_size=2, accumulate=2, lora=4, save_every=2, device="cpu")
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from transformers import Trainer
from training.hf.prm import train_prm
from training.hf.settings import Settings

torch.set_num_threads(1)
save = Trainer._save_optimizer_and_scheduler

def die(self, folder):
    if folder.endswith("checkpoint-4"):
        os.kill(os.getpid(), signal.SIGKILL)  # after the weights, before the rest
    save(self, folder)

Trainer._save_optimizer_and_scheduler = die
policy, labels, out = sys.argv[1:]
settings = Settings(max_steps=6, batch_size=2, accumulate=2, lora=4, save_every=2, device="cpu")
train_prm(policy, Path(labels), Path(out), settings, command="c")
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def manifest_of(folder: Path) -> dict[str, Any]:
    return without_timing(json.loads((folder / "manifest.json").read_text()))


def same(one: Path, other: Path) -> None:
    assert manifest_of(one) == manifest_of(other)
    for name in ("model.safetensors", "loss.csv", "loss.png", "config.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_killed_in_the_middle_of_a_checkpoint(llama: Path, tmp_path: Path) -> None:
    labels = labels_file(tmp_path / "labels.jsonl")
    whole = train_prm(str(llama), labels, tmp_path / "whole", LORA, command="c")
    out = tmp_path / "killed"
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(llama), str(labels), str(out)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    work = tmp_path / ".killed.work"
    assert not out.exists()
    assert (work / "checkpoint-2" / "complete.json").is_file()
    assert (work / "checkpoint-4").is_dir()
    assert not (work / "checkpoint-4" / "complete.json").exists()
    same(whole, train_prm(str(llama), labels, out, LORA, command="c"))
    assert not work.exists()


class Died(BaseException):
    """Ends a run as abruptly as an exception can."""


@pytest.mark.parametrize("after", [1, 4])
def test_stopped_after_a_checkpoint(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Also when all steps were done and only the publishing was missing."""
    problems = problems_file(tmp_path / "problems.jsonl")
    settings = Settings(max_steps=4, batch_size=3, save_every=1, device="cpu", learning_rate=1e-3)
    whole = train_sft(str(llama), problems, tmp_path / "whole", settings, command="c")
    step = Trainer._maybe_log_save_evaluate

    def die(self: Trainer, *given: Any, **named: Any) -> None:
        step(self, *given, **named)
        if self.state.global_step == after:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_maybe_log_save_evaluate", die)
        with pytest.raises(Died):
            train_sft(str(llama), problems, tmp_path / "out", settings, command="c")
    assert [path.name for path in (tmp_path / ".out.work").glob("checkpoint-*")] == [f"checkpoint-{after}"]
    same(whole, train_sft(str(llama), problems, tmp_path / "out", settings, command="c"))


def test_another_run_does_not_go_on_with_it(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = problems_file(tmp_path / "problems.jsonl")
    settings = Settings(max_steps=2, batch_size=3, save_every=1, device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr("training.hf.run._fill", lambda *_: (_ for _ in ()).throw(Died))
        with pytest.raises(Died):
            train_sft(str(llama), problems, tmp_path / "out", settings, command="c")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.work", "problems.jsonl"]
    other = problems_file(tmp_path / "other.jsonl", 5)
    for data, chosen, name in ((problems, Settings(max_steps=3, device="cpu"), "settings"), (other, settings, "data")):
        with pytest.raises(ConfigurationError, match=f"holds an unfinished run with other {name}.*delete the folder"):
            train_sft(str(llama), data, tmp_path / "out", chosen, command="c")
    assert (tmp_path / ".out.work" / "checkpoint-2").is_dir()
    assert train_sft(str(llama), problems, tmp_path / "out", settings, command="c").is_dir()
