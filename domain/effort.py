"""Effort levels: presets of how much a search may spend and how sure it is to be, for callers who want one word.

Laws: a higher level never allows less, and never asks for less certainty. What a caller names wins over the preset:
each parameter of the strategy over the level's, and a job's own confidence over the level's. A job's budget is a
ceiling beside `samples`: whichever is reached first ends the search. Only the resolved strategy is stored, so that a
job means the same after the presets have changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import InvalidRequest
from domain.recipe import StrategySpec, parse_strategy, spec_to_json
from domain.specs.adaptive import Adaptive


@dataclass(frozen=True, slots=True)
class Effort:
    samples: int
    """Most plain solutions, and the largest search over steps; the price goes by it."""
    confidence: float
    """Where the search stops by itself."""


EFFORTS: dict[str, Effort] = {
    "none": Effort(1, 0.0),
    "minimal": Effort(4, 0.7),
    "low": Effort(16, 0.8),
    "medium": Effort(64, 0.95),
    "high": Effort(128, 0.98),
    "xhigh": Effort(256, 0.99),
    "max": Effort(512, 0.995),
}
DEFAULT_EFFORT = "medium"


def adaptive_for(effort: str) -> Adaptive:
    """The adaptive search at this level. Raises InvalidRequest for another word."""
    if effort not in EFFORTS:
        raise InvalidRequest(f"unknown effort {effort!r}: use one of {', '.join(EFFORTS)}", param="effort")
    preset = EFFORTS[effort]
    return Adaptive(n=preset.samples, confidence=preset.confidence)


def parse_search(strategy: object, effort: object) -> StrategySpec:
    """How to search, from the `strategy` and `effort` of a request; either may be None. Raises InvalidRequest."""
    named = None if strategy is None else parse_strategy(strategy)
    if effort is None:
        return parse_strategy(None) if named is None else named
    if not isinstance(effort, str):
        raise InvalidRequest(f"effort must be one of {', '.join(EFFORTS)}", param="effort")
    preset = adaptive_for(effort)
    if named is None:
        return preset
    if not isinstance(named, Adaptive):
        raise InvalidRequest(
            f"effort is for the strategy 'adaptive', not {named.name!r}: leave out one of the two", param="effort"
        )
    chosen = dict(strategy) if isinstance(strategy, Mapping) else {}
    return parse_strategy(spec_to_json(preset) | chosen)
