"""Solutions that others can be made from, as the arms of a bandit: the best few by score, each with what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Arm:
    node: int
    base: float
    """The verifier's number for what is built on: the solution, or its first `steps` steps."""
    steps: int = 0
    uses: int = 0
    """Times that it was chosen, those still in flight included: so parallel decisions spread."""
    told: int = 0
    total: float = 0.0
    """Sum of the `told` scores of what came from it."""

    @property
    def mean(self) -> float:
        """Its base counts as one observation."""
        return (self.base + self.total) / (1 + self.told)


def best_arm(arms: tuple[Arm, ...], explore: float, tried: int) -> Arm:
    """The arm of the highest upper confidence bound, as UCB1 (Auer et al., 2002); the better base among equals."""
    bonus = explore * math.sqrt(math.log(1 + tried))
    return max(arms, key=lambda arm: arm.mean + bonus / math.sqrt(1 + arm.uses))


def added(arms: tuple[Arm, ...], arm: Arm, width: int) -> tuple[Arm, ...]:
    """With a new arm, cut to the `width` of highest base, the earlier among equals."""
    return tuple(sorted((*arms, arm), key=lambda one: (-one.base, one.node)))[:width]


def used(arms: tuple[Arm, ...], arm: Arm) -> tuple[Arm, ...]:
    return tuple(replace(one, uses=one.uses + 1) if one is arm else one for one in arms)


def credited(arms: tuple[Arm, ...], node: int, score: float) -> tuple[Arm, ...]:
    """Tell a score to the arm it came from, if that is still among them."""
    return tuple(replace(one, told=one.told + 1, total=one.total + score) if one.node == node else one for one in arms)
