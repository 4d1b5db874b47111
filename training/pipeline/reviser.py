"""The stages that teach to revise: first the policy itself, in passing, then a checkpoint that does nothing else.

The policy solves and revises, told apart by its prompt alone. The revision model is a fine-tuned model of its own, as
in arXiv 2408.03314, section 6: it starts from the policy's weights, and so from no better solver.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from training.artifacts.curve import write_curve
from training.causal import language_loss, language_rows, solution_row
from training.data import Batch, Row, batches
from training.loop import Schedule, set_up, train
from training.pipeline.data import TRAIN, generated, tokenizer
from training.pipeline.workshop import Stage
from training.recipe import ReviserRecipe
from training.store import save_model


def make_reviser(folder: Path, data: Stage, policy: Stage, chains: Stage, recipe: ReviserRecipe) -> dict[str, Any]:
    """Writes `folder/model`, the policy trained on chains and, for the rest of `chain_share`, on plain problems."""
    import torch
    from transformers import AutoModelForCausalLM

    words = tokenizer(data)
    model = AutoModelForCausalLM.from_pretrained(
        policy.folder / "model", dtype=torch.float32, attn_implementation="eager"
    )
    set_up(recipe.seed)
    revisions = _chain_rows(chains.folder / "chains.jsonl", words)
    plain = language_rows(generated(data, TRAIN), words) if recipe.chain_share < 1 else []
    schedule = Schedule(recipe.steps, recipe.matrix_rate, recipe.other_rate, warmup=20, decay=1.0, save_every=200)
    ended = train(
        model,
        _mixed(revisions, plain, recipe),
        partial(language_loss, model),
        schedule,
        name="reviser",
        checkpoint=folder / "checkpoint.pt",
    )
    save_model(folder / "model", model, words)
    write_curve(folder, ended.losses, "reviser: loss on solution tokens")
    return {"tokens": ended.tokens, "chains": len(revisions), "seconds": ended.seconds}


def _chain_rows(path: Path, words: Any) -> list[Row]:
    with path.open(encoding="utf-8") as lines:
        chains = [json.loads(line) for line in lines]
    return [solution_row(words, one["problem"], one["solution"], one["attempts"]) for one in chains]


def _mixed(revisions: list[Row], plain: list[Row], recipe: ReviserRecipe) -> Iterator[Batch]:
    """Rounds over all chains, each with other plain problems beside them."""
    beside = round(len(revisions) * (1 - recipe.chain_share) / recipe.chain_share)
    for turn in itertools.count(recipe.seed):
        others = random.Random(turn).sample(plain, min(beside, len(plain)))
        yield from batches([*revisions, *others], recipe.batch_tokens, turn)
