"""The three sets of problems.

Law: they are disjoint. Test and validation come from seeds of their own, and training leaves out every problem text
that is in either of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from training.problems.arithmetic import LEVELS, Example, generate
from training.recipe import DataRecipe

TEST_SEED = 7_000_001
"""Seed of all held-out problems, the examples of `examples/problems.jsonl` among them."""
VALIDATION_SEED = 7_000_002
EXAMPLES_SEED = 7_000_003
EXAMPLES_HELD = 50
"""Examples of each level that are kept out of training; `examples/problems.jsonl` shows the first few."""
TEST_HELD = 300
"""Test problems of each level that are kept out of training; a report may use fewer."""


@dataclass(frozen=True, slots=True)
class Splits:
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]


@cache
def examples_per_level(count: int) -> tuple[Example, ...]:
    """The problems of `examples/problems.jsonl`: never trained on."""
    return tuple(example for level in LEVELS for example in generate(EXAMPLES_SEED, level, count, prefix="demo"))


@cache
def held_out_problems(per_level: int) -> tuple[Example, ...]:
    """The first held-out problems of each level (at most TEST_HELD), without any of the examples."""
    if per_level > TEST_HELD:
        raise ValueError(f"only {TEST_HELD} problems of each level are kept out of training")
    held = {example.problem for example in examples_per_level(EXAMPLES_HELD)}
    return tuple(_all_levels(TEST_SEED, [per_level] * len(LEVELS), "test", held))


def make_splits(recipe: DataRecipe) -> Splits:
    """Test first, then validation without the test's texts, then training without both and without the examples."""
    test = held_out_problems(recipe.test_per_level)
    held = {example.problem for example in (*examples_per_level(EXAMPLES_HELD), *held_out_problems(TEST_HELD))}
    validation = _all_levels(VALIDATION_SEED, [recipe.validation_per_level] * len(LEVELS), "val", held)
    held |= {example.problem for example in validation}
    return Splits(tuple(_all_levels(recipe.seed, list(recipe.train), "train", held)), tuple(validation), test)


def _all_levels(seed: int, counts: list[int], prefix: str, held: set[str]) -> list[Example]:
    found = []
    for level, count in zip(LEVELS, counts, strict=True):
        found += generate(seed, level, count, prefix=prefix, exclude=held)
    return found


def data_hash(splits: Splits) -> str:
    """A checksum of every problem and solution of all three sets."""
    digest = hashlib.sha256()
    for part in (splits.train, splits.validation, splits.test):
        for example in part:
            digest.update(f"{example.id}\x1f{example.problem}\x1f{example.solution}\x1e".encode())
    return digest.hexdigest()
