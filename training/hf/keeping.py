"""Checkpoints of a run in its work folder, and which of them can be trusted.

Law: a checkpoint counts from the moment at which its mark is on the disk, and the one before goes only after that; a
run goes on from the last that counts, and what was being written when a process was killed is ignored.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from training.artifacts.manifest import write_json
from training.artifacts.publish import to_disk
from training.hf.processes import wait_for_all

MARK = "complete.json"


def latest(work: Path) -> Path | None:
    """The last whole checkpoint of a work folder."""
    whole = [folder for folder in work.glob("checkpoint-*") if (folder / MARK).is_file()]
    return max(whole, key=_step, default=None)


def seconds_of(checkpoint: Path | None) -> float:
    """Wall time of the run up to it."""
    if checkpoint is None:
        return 0.0
    return float(json.loads((checkpoint / MARK).read_text(encoding="utf-8"))["seconds"])


def drop_others(work: Path, kept: Path | None) -> None:
    """Deletes every checkpoint but one, half-written ones too."""
    for folder in work.glob("checkpoint-*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


class Keeper(TrainerCallback):
    """Marks each checkpoint when it is whole on every process, then deletes the one before."""

    def __init__(self, work: Path, seconds_before: float) -> None:
        self._work, self._before, self._began = work, seconds_before, time.monotonic()

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._began

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        wait_for_all()
        if state.is_world_process_zero:
            folder = self._work / f"checkpoint-{state.global_step}"
            to_disk(folder)
            write_json(folder / MARK, {"step": state.global_step, "seconds": self.seconds})
            drop_others(self._work, folder)


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])
