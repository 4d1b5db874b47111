"""Specs of strategies that decide for themselves what a problem needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.specs.parameters import number, number_or

BY_N = "by_n"
ALLOWANCE = 0.064
"""What all of the samples that are allowed must bring together, in P(right), where no price is named."""


@dataclass(frozen=True, slots=True)
class Adaptive:
    """Do what promises the largest gain in P(right) for its cost (sample, verify, or search over steps), again and
    again, until the search is sure enough, nothing is worth `price`, or `n` solutions are there. No search over steps
    is larger than `n`. `probe` plain solutions come first in any case.

    The first solution is sampled at `first_temperature` (0: greedily), since one alone is right more often that way;
    the other plain ones at `temperature`, and a search over steps at its own.

    `price` is the least gain in P(right) that the cost of one plain sample must bring; `by_n`: 0.064 / `n`, so that who
    allows more spends more. `confidence` is where the search stops by itself; a job's own confidence target goes before
    it. What actions bring is fitted (`deliberate calibrate`); without a fit it samples in growing rounds, and asks the
    verifier only where the votes disagree.
    """

    name: ClassVar[str] = "adaptive"
    n: int = number(64, 1, 4096)
    probe: int = number(0, 0, 16)
    price: float = number_or(BY_N, 0.0, 1.0, BY_N)
    confidence: float = number(0.95, 0.0, 1.0)
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(512, 1, 131_072)
    first_temperature: float = number(0.0, 0.0, 2.0)

    def __post_init__(self) -> None:
        """The word becomes its number at once, so that a job stores and shows what it stood for.

        A spec may be built with an `n` outside its limits; these are for whoever parses one to check.
        """
        if isinstance(self.price, str):
            object.__setattr__(self, "price", ALLOWANCE / max(self.n, 1))


@dataclass(frozen=True, slots=True)
class ComputeOptimal:
    """Estimate the difficulty from a small probe, then search as did best on problems of that difficulty at this budget
    (2408.03314, section 3); the probe is charged, and its solutions take part. Temperatures as in `adaptive`.

    The budget is what best-of-`n` costs, with verification. Without a fit (`deliberate calibrate`) it is best-of-`n`.
    """

    name: ClassVar[str] = "compute_optimal"
    n: int = number(16, 1, 4096)
    temperature: float = number(0.8, 0.0, 2.0)
    top_p: float = number(1.0, 0.01, 1.0)
    max_tokens: int = number(512, 1, 131_072)
    first_temperature: float = number(0.0, 0.0, 2.0)
