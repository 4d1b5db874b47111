"""Snapshots of a run: moving averages of its weights, kept on disk, with what they are worth.

Law: a snapshot stands for a run that ends there, without the noise of a high learning rate; one that was killed and
started again keeps the same snapshots.
"""

from __future__ import annotations

import copy
import json
import math
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.causal import language_rows
from training.data import IGNORED, Row, stack
from training.problems.generator import GeneratedProblem
from training.progress import say
from training.recipe import BaseRecipe

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Snapshot:
    step: int
    rates: dict[str, float]
    """Expected pass@1 of each subject on the validation problems; a lower bound where several workings are right."""
    path: Path

    @property
    def mean_rate(self) -> float:
        return math.fsum(self.rates.values()) / len(self.rates)

    def weights(self) -> dict[str, torch.Tensor]:
        from safetensors.torch import load_file

        return load_file(self.path)


class Album:
    """Follows a run of `training.loop`."""

    def __init__(
        self, folder: Path, model: Any, validation: Sequence[GeneratedProblem], tokenizer: Any, recipe: BaseRecipe
    ) -> None:
        self._folder, self._model, self._recipe = folder, model, recipe
        self._average = copy.deepcopy(model).eval()
        self._validation, self._tokenizer = validation, tokenizer
        folder.mkdir(parents=True, exist_ok=True)

    def after_step(self, step: int) -> None:
        span = self._recipe.average_steps
        self._follow(1.0 if step <= span else 1.0 / span)
        if step % self._recipe.snapshot_every == 0 or step == self._recipe.steps:
            self.take(step)

    def state(self) -> dict[str, Any]:
        return {"average": self._average.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self._average.load_state_dict(state["average"])

    def take(self, step: int) -> None:
        """Keeps the average of now as the snapshot of `step`."""
        import torch
        from safetensors.torch import save_file

        rates = pass_rates(self._average, self._validation, self._tokenizer)
        weights = {name: weight.to(torch.bfloat16).contiguous() for name, weight in _distinct(self._average).items()}
        draft = self._folder / "draft"
        save_file(weights, draft, metadata={"rates": json.dumps(rates)})
        os.replace(draft, _path(self._folder, step))
        shown = " ".join(f"{subject[:6]} {rate:.2f}" for subject, rate in rates.items())
        say(f"snapshot {step}: pass@1 at least {math.fsum(rates.values()) / len(rates):.3f} ({shown})")

    def _follow(self, share: float) -> None:
        import torch

        with torch.no_grad():
            for average, weight in zip(self._average.parameters(), self._model.parameters(), strict=True):
                average.lerp_(weight, share)


def snapshots(folder: Path) -> list[Snapshot]:
    """All of a run, from the first to the last."""
    from safetensors import safe_open

    found = []
    for path in sorted(folder.glob("step-*.safetensors")):
        with safe_open(path, "pt") as file:
            rates = json.loads(file.metadata()["rates"])
        found.append(Snapshot(int(path.stem.removeprefix("step-")), rates, path))
    return found


def pass_rates(model: Any, problems: Sequence[GeneratedProblem], tokenizer: Any) -> dict[str, float]:
    """For each subject the mean probability, at temperature 1, of writing the worked solution."""
    by_subject: dict[str, list[float]] = defaultdict(list)
    for start in range(0, len(problems), 50):
        part = problems[start : start + 50]
        for problem, chance in zip(part, _chances(model, language_rows(part, tokenizer)), strict=True):
            by_subject[problem.subject].append(chance)
    return {subject: math.fsum(values) / len(values) for subject, values in sorted(by_subject.items())}


def _path(folder: Path, step: int) -> Path:
    return folder / f"step-{step:06d}.safetensors"


def _distinct(model: Any) -> dict[str, torch.Tensor]:
    """The weights without the output layer where that is the embedding again."""
    weights: dict[str, torch.Tensor] = model.state_dict()
    return {name: weight for name, weight in weights.items() if name != "lm_head.weight"}


def _chances(model: Any, rows: Sequence[Row]) -> list[float]:
    import torch

    batch = stack(rows)
    kept = batch.next_tokens != IGNORED
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = model(batch.ids, use_cache=False).logits.float()
    chosen = logits.log_softmax(-1).gather(-1, batch.next_tokens.clamp_min(0)[..., None])[..., 0]
    return [float(chance) for chance in (chosen * kept).sum(-1).exp()]
