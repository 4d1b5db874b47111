"""All problems of a recipe, in files, and the tokenizer that is made from them.

Law: what the base trains on, what the policy is sampled on, what tells how far a run is and what confidence is fitted
on are four disjoint sets; the test split is in none of them. Only the reviser's chains take from two: what the policy
is sampled on is too little for them, and some of what the base trains on is added.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from training.pipeline.workshop import Stage
from training.problems.files import ProblemRecord, read_problems, write_problems
from training.problems.generator import GeneratedProblem
from training.problems.partition import exact_key, make_split, pool, stream
from training.recipe import DataRecipe
from training.tokenizer import build_tokenizer

TRAIN, SAMPLED, VALIDATION, CALIBRATION = "train.jsonl", "sampled.jsonl", "validation.jsonl", "calibration.jsonl"
FILES = (TRAIN, SAMPLED, VALIDATION, CALIBRATION)
HELD_SEED = 9
"""Of the problems of the calibration split."""
MERGES_FROM = 20_000
"""Problems that the tokenizer's merges come from."""


def make_data(folder: Path, recipe: DataRecipe, context: int) -> dict[str, Any]:
    train = pool("train", recipe.train_per_cell, recipe.seed, levels=recipe.levels)
    # Levels are trained in an order of their own; within a level the subjects come mixed.
    random.Random(0).shuffle(train)
    held = make_split("calibration", recipe.validation + recipe.calibration, HELD_SEED, levels=recipe.levels)
    parts = {
        TRAIN: train,
        SAMPLED: list(islice(_unseen(train, recipe), recipe.sampled)),
        VALIDATION: held[: recipe.validation],
        CALIBRATION: held[recipe.validation :],
    }
    for name, problems in parts.items():
        write_problems(folder / name, problems, force=True)
    texts = (text for item in train[:MERGES_FROM] for text in (item.problem, item.solution))
    build_tokenizer(context, texts).save_pretrained(folder / "tokenizer")
    return {name.removesuffix(".jsonl"): len(problems) for name, problems in parts.items()}


def generated(stage: Stage, name: str) -> list[GeneratedProblem]:
    """The problems of one of the stage's files, as they were generated."""
    with (stage.folder / name).open(encoding="utf-8") as lines:
        return [GeneratedProblem(**json.loads(line)) for line in lines]


def records(stage: Stage, name: str) -> Sequence[ProblemRecord]:
    return read_problems(stage.folder / name)


def tokenizer(stage: Stage) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(stage.folder / "tokenizer")


def _unseen(train: Iterable[GeneratedProblem], recipe: DataRecipe) -> Iterator[GeneratedProblem]:
    """Problems of the training split that are not in `train`."""
    seen = {exact_key(item.problem) for item in train}
    return (
        item for item in stream("train", recipe.seed + 1, levels=recipe.levels) if exact_key(item.problem) not in seen
    )
