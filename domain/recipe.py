"""Strategy specs: a typed union whose defaults are the vetted settings, parsed from JSON with exact complaints.

A spec says *how* to search; the budget says how far. Each strategy in `search/` is registered under its spec's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, TypeAlias

from domain.budget import is_finite
from domain.errors import InvalidRequest
from domain.specs.adaptive import Adaptive, ComputeOptimal
from domain.specs.adaptive_voting import AdaptiveVoting
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.specs.parameters import Bounds
from domain.specs.sequential import BudgetForcing, Revisions, RevisionTree
from domain.specs.stochastic import AdaptiveBranching, Mcts, Particles
from domain.specs.tree import Beam, Dvts, Lookahead, Rebase

StrategySpec: TypeAlias = (
    SelfConsistency
    | BestOfN
    | AdaptiveVoting
    | Adaptive
    | ComputeOptimal
    | Revisions
    | Beam
    | Lookahead
    | Dvts
    | Rebase
    | RevisionTree
    | AdaptiveBranching
    | Particles
    | Mcts
    | BudgetForcing
)

SPECS: dict[str, type[StrategySpec]] = {
    spec.name: spec
    for spec in (
        SelfConsistency,
        BestOfN,
        AdaptiveVoting,
        Adaptive,
        ComputeOptimal,
        Revisions,
        Beam,
        Lookahead,
        Dvts,
        Rebase,
        RevisionTree,
        AdaptiveBranching,
        Particles,
        Mcts,
        BudgetForcing,
    )
}
REVISING = (Revisions, RevisionTree, AdaptiveBranching)
"""Those whose samples are shown earlier attempts: what they come to depends on the policy's reviser, too."""
DEFAULT_STRATEGY = Adaptive.name


def parse_strategy(value: object) -> StrategySpec:
    """A spec from JSON: None (the default), a name, or `{"name": …, parameters}`. Raises InvalidRequest."""
    if value is None:
        value = DEFAULT_STRATEGY
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping):
        raise InvalidRequest("strategy must be a name or an object with a name", param="strategy")
    parameters = dict(value)
    name = parameters.pop("name", None)
    spec = SPECS.get(name) if isinstance(name, str) else None
    if spec is None:
        raise InvalidRequest(f"unknown strategy {name!r}: use one of {', '.join(SPECS)}", param="strategy.name")
    return spec(**_checked(spec, parameters))


def spec_to_json(spec: StrategySpec) -> dict[str, Any]:
    """The whole spec, defaults included, as the API shows it; `parse_strategy` reads it back."""
    return {"name": spec.name} | {item.name: getattr(spec, item.name) for item in fields(spec)}


def _checked(spec: type[StrategySpec], parameters: Mapping[str, Any]) -> dict[str, Any]:
    known = {item.name: item for item in fields(spec)}
    checked: dict[str, Any] = {}
    for name, value in parameters.items():
        if name not in known:
            raise InvalidRequest(
                f"strategy {spec.name!r} has no parameter {name!r}: use {', '.join(known)}", param=f"strategy.{name}"
            )
        checked[name] = _value(name, value, known[name])
    return checked


def _value(name: str, value: object, item: Field[Any]) -> float | int | str:
    if "choices" in item.metadata:
        return _chosen(name, value, item.metadata["choices"])
    if isinstance(value, str) and "words" in item.metadata:
        return _chosen(name, value, item.metadata["words"], "a number, or ")
    return _bounded(name, value, item.metadata["bounds"], whole=isinstance(item.default, int))


def _chosen(name: str, value: object, choices: tuple[str, ...], beside: str = "") -> str:
    if value not in choices:
        wanted = f"{beside}one of {', '.join(choices)}"
        raise InvalidRequest(f"strategy.{name} must be {wanted}", param=f"strategy.{name}")
    return str(value)


def _bounded(name: str, value: object, bounds: Bounds, *, whole: bool) -> float | int:
    param = f"strategy.{name}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite(value):
        raise InvalidRequest(f"{param} must be a number", param=param)
    if whole and value != int(value):
        raise InvalidRequest(f"{param} must be a whole number", param=param)
    if not bounds.low <= value <= bounds.high:
        raise InvalidRequest(f"{param} must be from {bounds.low:g} to {bounds.high:g}", param=param)
    return int(value) if whole else float(value)
