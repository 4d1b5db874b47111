"""The stages that train language models from nothing: the base, a small one beside it, a large one grown from it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from training.album import Snapshot, snapshots
from training.artifacts.curve import write_curve
from training.base import train_base, train_on
from training.causal import loaded
from training.growth import grown
from training.loop import Ended
from training.pipeline.data import TRAIN, VALIDATION, generated, tokenizer
from training.pipeline.workshop import Stage
from training.recipe import BaseRecipe, LargeRecipe, ModelRecipe, PolicyRecipe
from training.store import save_model


def make_base(folder: Path, data: Stage, model: ModelRecipe, recipe: BaseRecipe, name: str) -> dict[str, Any]:
    train, validation = generated(data, TRAIN), generated(data, VALIDATION)
    return _told(folder, train_base(folder, model, recipe, train, validation, tokenizer(data), name=name), name)


def make_large(
    folder: Path, data: Stage, base: Stage, small: ModelRecipe, recipe: BaseRecipe, large: LargeRecipe
) -> dict[str, Any]:
    """Starts as the end of the base, with layers between that change nothing yet."""
    words = tokenizer(data)
    model = grown(loaded(small, words, snapshots(base.folder)[-1].weights()), large_model(small, large), words)
    numbers = dataclasses.replace(
        recipe,
        steps=large.steps,
        matrix_rate=large.matrix_rate,
        other_rate=large.other_rate,
        stages=(dataclasses.replace(recipe.stages[-1], share=1.0),),
        snapshot_every=large.steps,
    )
    train, validation = generated(data, TRAIN), generated(data, VALIDATION)
    return _told(folder, train_on(folder, model, numbers, train, validation, words, name="large"), "large")


def large_model(small: ModelRecipe, large: LargeRecipe) -> ModelRecipe:
    return dataclasses.replace(small, layers=large.layers)


def make_policy(folder: Path, data: Stage, base: Stage, model: ModelRecipe, recipe: PolicyRecipe) -> dict[str, Any]:
    """The first snapshot that is good enough."""
    found = snapshots(base.folder)
    chosen = next((item for item in found if item.mean_rate >= recipe.pass_rate), found[-1])
    _write(folder, data, model, chosen)
    return {"step": chosen.step, "expected_pass_at_1": chosen.rates}


def make_end(folder: Path, data: Stage, base: Stage, model: ModelRecipe) -> dict[str, Any]:
    """The last snapshot."""
    chosen = snapshots(base.folder)[-1]
    _write(folder, data, model, chosen)
    return {"step": chosen.step, "expected_pass_at_1": chosen.rates}


def _write(folder: Path, data: Stage, model: ModelRecipe, chosen: Snapshot) -> None:
    words = tokenizer(data)
    save_model(folder / "model", loaded(model, words, chosen.weights()), words)


def _told(folder: Path, ended: Ended, name: str) -> dict[str, Any]:
    write_curve(folder, ended.losses, f"{name}: loss on solution tokens")
    rates = {str(item.step): round(item.mean_rate, 4) for item in snapshots(folder)}
    return {"tokens": ended.tokens, "snapshots": rates, "last_loss": ended.losses[-1][1], "seconds": ended.seconds}
