"""Effort levels: presets of how much a search may spend and how sure it is to be, for callers who want one word.

Law: a higher level never allows less, and never asks for less certainty.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import InvalidRequest
from domain.specs.adaptive import Adaptive


@dataclass(frozen=True, slots=True)
class Effort:
    samples: int
    """Most plain solutions."""
    probe: int
    price: float
    """Least gain in P(right) for the cost of one plain sample."""
    confidence: float
    """Where the search stops by itself."""


EFFORTS: dict[str, Effort] = {
    "none": Effort(1, 1, 1.0, 0.0),
    "minimal": Effort(4, 2, 0.02, 0.7),
    "low": Effort(16, 4, 0.01, 0.8),
    "medium": Effort(64, 4, 0.002, 0.95),
    "high": Effort(128, 4, 0.0005, 0.98),
    "max": Effort(512, 8, 0.0, 0.995),
}
DEFAULT_EFFORT = "medium"


def adaptive_for(effort: str) -> Adaptive:
    """The adaptive search at this level. Raises InvalidRequest for another word."""
    if effort not in EFFORTS:
        raise InvalidRequest(f"unknown effort {effort!r}: use one of {', '.join(EFFORTS)}", param="effort")
    preset = EFFORTS[effort]
    return Adaptive(n=preset.samples, probe=preset.probe, price=preset.price, confidence=preset.confidence)
