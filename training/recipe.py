"""A training recipe: every number that decides what comes out, read from a TOML file in `recipes/`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.curriculum import Stage

RECIPES = Path(__file__).resolve().parent.parent / "recipes"


@dataclass(frozen=True, slots=True)
class DataRecipe:
    seed: int
    train: tuple[int, ...]
    """Number of training problems of levels 1 to 5."""
    validation_per_level: int
    test_per_level: int
    """Problems that no training and no choice of a checkpoint sees."""


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    hidden: int
    layers: int
    heads: int
    inner: int
    context: int


@dataclass(frozen=True, slots=True)
class BaseRecipe:
    steps: int
    batch_tokens: int
    matrix_rate: float
    other_rate: float
    snapshot_every: int
    average_steps: int
    """About how many of the latest steps a snapshot averages."""
    policy_pass_rate: float
    """The policy is the first snapshot whose mean pass@1 on the validation problems reaches this."""
    temperature: float
    """At which pass@1 is measured and the verifier's training solutions are sampled."""
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class VerifierRecipe:
    sampled_problems: int
    """Training problems whose solutions are sampled from the policy."""
    samples: int
    """Solutions sampled for each of them."""
    steps: int
    """Of the head's training; the language model below it stays as it is."""
    rate: float


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    seed: int
    data: DataRecipe
    model: ModelRecipe
    base: BaseRecipe
    verifier: VerifierRecipe


def read_recipe(path: Path) -> Recipe:
    """Raises OSError or tomllib.TOMLDecodeError for the file, TypeError or KeyError for a missing or unknown number."""
    raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    data = raw["data"] | {"train": tuple(raw["data"]["train"])}
    return Recipe(
        name=path.stem,
        seed=raw["seed"],
        data=DataRecipe(**data),
        model=ModelRecipe(**raw["model"]),
        base=BaseRecipe(**raw["base"] | {"stages": tuple(Stage(**stage) for stage in raw["base"]["stages"])}),
        verifier=VerifierRecipe(**raw["verifier"]),
    )
