"""A recipe: every number that decides what `deliberate train all` makes, read from a TOML file in `recipes/`.

`[smoke]` holds a second set of numbers: whatever stands there replaces the same number above it in a smoke run.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from domain.errors import ConfigurationError
from training.curriculum import Stage

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DataRecipe:
    seed: int
    train_per_cell: int
    """Problems of each subject and level that the base sees; fewer where there are fewer."""
    validation: int
    """Problems of the calibration split that tell how far a run is."""
    calibration: int
    """Other problems of the calibration split, whose graded traces the confidence is fitted on."""
    sampled: int
    """Problems of the training split that the base has not seen: for chains, then for labels."""
    levels: tuple[int, ...] = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    hidden: int
    layers: int
    heads: int
    inner: int
    context: int


@dataclass(frozen=True, slots=True)
class BaseRecipe:
    seed: int
    steps: int
    batch_tokens: int
    matrix_rate: float
    other_rate: float
    matrix_decay: float
    """Weight decay of the matrices."""
    snapshot_every: int
    average_steps: int
    """About how many of the latest steps a snapshot averages."""
    stages: tuple[Stage, ...]
    save_every: int = 500


@dataclass(frozen=True, slots=True)
class PolicyRecipe:
    pass_rate: float
    """The policy is the first snapshot whose mean pass@1 on the validation problems is expected to reach this."""


@dataclass(frozen=True, slots=True)
class ChainRecipe:
    problems: int
    samples: int
    chains_per_problem: int
    right_to_right: float


@dataclass(frozen=True, slots=True)
class ReviserRecipe:
    seed: int
    steps: int
    batch_tokens: int
    matrix_rate: float
    other_rate: float
    chain_share: float
    """Part of the rows that are chains; the others are plain problems, so that the model still solves those."""


@dataclass(frozen=True, slots=True)
class RevisionChainRecipe:
    """Of attempts of the policy itself, for the revision model."""

    problems: int
    samples: int
    chains_per_problem: int


@dataclass(frozen=True, slots=True)
class LabelRecipe:
    problems: int
    samples: int
    rollouts: int


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """Of the verifier's head; the language model below it stays as it is."""

    steps: int
    rate: float
    within: float = 3.0
    """Weight of ranking within a problem, beside the cross-entropy of the labels."""
    sharpness: float = 2.0
    """Factor on the logits in the end: votes are sums of scores, and labels alone give scores that hardly differ."""


@dataclass(frozen=True, slots=True)
class PlainRecipe:
    """Of the outcome reward model, and of the plain process reward model that is kept as a negative control."""

    epochs: int
    batch_tokens: int
    rate: float


@dataclass(frozen=True, slots=True)
class SmallRecipe:
    """A model of its own with few parameters: a share of the base's steps on the same data."""

    model: ModelRecipe
    steps: int


@dataclass(frozen=True, slots=True)
class LargeRecipe:
    """The end of the base with more layers, trained on."""

    layers: int
    steps: int
    matrix_rate: float
    other_rate: float


@dataclass(frozen=True, slots=True)
class CalibrationRecipe:
    samples: int
    temperature: float
    """At which the strategies sample by default: a fit holds for one temperature."""


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    seed: int
    data: DataRecipe
    model: ModelRecipe
    base: BaseRecipe
    policy: PolicyRecipe
    chains: ChainRecipe
    reviser: ReviserRecipe
    """Of the policy, which learns what revising is."""
    revision_chains: RevisionChainRecipe
    revision_model: ReviserRecipe
    """Of the checkpoint beside the policy, which does nothing but revise."""
    labels: LabelRecipe
    head: HeadRecipe
    plain: PlainRecipe
    small: SmallRecipe
    large: LargeRecipe
    calibration: CalibrationRecipe


def read_recipe(path: Path, *, smoke: bool = False) -> Recipe:
    """Raises ConfigurationError: what is wrong with the file, and where."""
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read ({error.strerror}): name a recipe, as in recipes/") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no TOML ({error}): correct it") from None
    small_numbers = raw.pop("smoke", {})
    if smoke:
        raw = _merged(raw, small_numbers)
    recipe = _filled(Recipe, {"name": f"{path.stem} (smoke)" if smoke else path.stem} | raw, path, "")
    _check(recipe, path)
    return recipe


def _check(recipe: Recipe, path: Path) -> None:
    """What no number shows by itself. Raises ConfigurationError."""
    models = {"model": recipe.model, "small.model": recipe.small.model}
    stages, shares = (
        recipe.base.stages,
        (
            recipe.policy.pass_rate,
            recipe.reviser.chain_share,
            recipe.revision_model.chain_share,
        ),
    )
    wrong = [
        *(f"{name}.heads must divide {name}.hidden into even parts" for name, one in models.items() if _uneven(one)),
        *(f"{name}.layers must be at least 1" for name, one in models.items() if one.layers < 1),
        *["base.stages: the shares must add up to 1"] * (abs(sum(one.share for one in stages) - 1) > 1e-6),
        *["base.stages: each needs 5 levels, not all 0"] * (not all(map(_weighs, stages))),
        *["data.levels must be different numbers from 1 to 5"] * (not _are_levels(recipe.data.levels)),
        *["policy.pass_rate and each chain_share must be at most 1"] * (max(shares) > 1),
    ]
    if wrong:
        raise ConfigurationError(f"{path}: {wrong[0]}: correct it")


def _uneven(model: ModelRecipe) -> bool:
    return model.heads < 1 or model.hidden < 1 or model.hidden % (2 * model.heads) != 0


def _weighs(stage: Stage) -> bool:
    return len(stage.levels) == 5 and sum(stage.levels) > 0


def _are_levels(levels: tuple[int, ...]) -> bool:
    return len(set(levels)) == len(levels) and set(levels) <= {1, 2, 3, 4, 5}


def _merged(base: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: _merged(base[name], value) for name, value in other.items() if isinstance(value, dict)}
    return {**base, **other, **both}


def _filled(kind: type[T], raw: Mapping[str, Any], path: Path, where: str) -> T:
    """A recipe part from its table, with all its numbers, and no others."""
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = next((name for name in raw if name not in fields), None)
    if unknown is not None:
        raise ConfigurationError(f"{path}: {where}{unknown} is unknown: use {', '.join(fields)}")
    values = {}
    for name, item in fields.items():
        if name in raw:
            values[name] = _value(str(item.type), raw[name], path, f"{where}{name}")
        elif item.default is dataclasses.MISSING:
            raise ConfigurationError(f"{path}: {where}{name} is missing: add it")
    return kind(**values)


def _value(kind: str, value: Any, path: Path, where: str) -> Any:
    if kind in _PARTS:
        if not isinstance(value, dict):
            raise ConfigurationError(f"{path}: {where} must be a table: write [{where}]")
        return _filled(_PARTS[kind], value, path, f"{where}.")
    if kind.startswith("tuple["):
        item = kind.removeprefix("tuple[").removesuffix(", ...]")
        return tuple(_value(item, one, path, f"{where}.{at}") for at, one in enumerate(_items(value, path, where), 1))
    wanted, said = _PLAIN[kind]
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ConfigurationError(f"{path}: {where} must be {said}: correct it")
    if kind != "str" and not 0 <= value < math.inf:
        raise ConfigurationError(f"{path}: {where} must be a number of at least 0: correct it")
    return float(value) if kind == "float" else value


def _items(value: Any, path: Path, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ConfigurationError(f"{path}: {where} must be a list of at least one: write it in [ ]")
    return value


_PLAIN: dict[str, tuple[Any, str]] = {
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "str": (str, "a text"),
}


_PARTS: dict[str, type[Any]] = {
    part.__name__: part
    for part in (
        DataRecipe, ModelRecipe, BaseRecipe, PolicyRecipe, ChainRecipe, ReviserRecipe, RevisionChainRecipe, LabelRecipe,
        HeadRecipe, PlainRecipe, SmallRecipe, LargeRecipe, CalibrationRecipe, Stage,
    )
}  # fmt: skip
