"""The base: one language model trained long, with snapshots on the way.

An early snapshot becomes the policy, so that search has something left to gain; the end of the base knows more, and the
verifier starts from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from training.album import Album
from training.causal import language_loss, language_rows, new_model
from training.curriculum import staged_batches
from training.loop import Ended, Schedule, set_up, train
from training.problems.catalogue import LEVELS
from training.problems.generator import GeneratedProblem
from training.recipe import BaseRecipe, ModelRecipe


def train_base(
    folder: Path,
    model_recipe: ModelRecipe,
    recipe: BaseRecipe,
    problems: Sequence[GeneratedProblem],
    validation: Sequence[GeneratedProblem],
    tokenizer: Any,
    *,
    name: str,
) -> Ended:
    """Writes `folder/step-*.safetensors`; the last one is the end of the base. Goes on after a kill."""
    set_up(recipe.seed)
    return train_on(folder, new_model(model_recipe, tokenizer), recipe, problems, validation, tokenizer, name=name)


def train_on(
    folder: Path,
    model: Any,
    recipe: BaseRecipe,
    problems: Sequence[GeneratedProblem],
    validation: Sequence[GeneratedProblem],
    tokenizer: Any,
    *,
    name: str,
) -> Ended:
    """As `train_base`, for a model that is there already."""
    set_up(recipe.seed)
    rows = {level: language_rows([item for item in problems if item.level == level], tokenizer) for level in LEVELS}
    stream = staged_batches(rows, recipe.stages, recipe.steps, recipe.batch_tokens, recipe.seed)
    schedule = Schedule(
        recipe.steps, recipe.matrix_rate, recipe.other_rate, recipe.matrix_decay, save_every=recipe.save_every
    )
    album = Album(folder, model, validation, tokenizer, recipe)
    checkpoint = folder / "checkpoint.pt"
    loss = partial(language_loss, model)
    return train(model, stream, loss, schedule, name=name, checkpoint=checkpoint, follower=album)
