"""What was observed of an action, and draws of its mean from the posterior (for Thompson sampling)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search.draws import Stream, beta, gamma, normal

JEFFREYS = 0.5
"""Both parameters of the Beta prior."""

MEAN, MEANS_WORTH, FREEDOM, SCALE = 0.0, 1.0, 1.0, 0.1
"""Normal-inverse-χ² prior of 2503.04412: mean, its weight in observations, degrees of freedom, variance."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Sufficient statistics of rewards in [0, 1]."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def told(self, reward: float) -> Observed:
        return Observed(self.count + 1, self.total + reward, self.squares + reward * reward)


NOTHING_SEEN = Observed()


def drawn_mean(prior: str, observed: Observed, uniforms: Stream) -> float:
    """A draw of the mean reward under the `prior` ("beta" or "gaussian") and what was observed."""
    return _beta_mean(observed, uniforms) if prior == "beta" else _gaussian_mean(observed, uniforms)


def _beta_mean(observed: Observed, uniforms: Stream) -> float:
    """A reward of r counts as r successes and 1 − r failures."""
    lost = max(observed.count - observed.total, 0.0)
    return beta(JEFFREYS + observed.total, JEFFREYS + lost, uniforms)


def _gaussian_mean(observed: Observed, uniforms: Stream) -> float:
    """Mean and variance unknown (Murphy, "Probabilistic Machine Learning: Advanced Topics", section 3.4.3.3)."""
    n, worth, freedom = observed.count, MEANS_WORTH + observed.count, FREEDOM + observed.count
    average = observed.total / n if n else MEAN
    spread = max(observed.squares - n * average * average, 0.0)
    away = n * MEANS_WORTH * (MEAN - average) ** 2 / worth
    scale_sum = FREEDOM * SCALE + spread + away
    variance = scale_sum / (2.0 * gamma(freedom / 2.0, uniforms))
    return (MEANS_WORTH * MEAN + observed.total) / worth + math.sqrt(variance / worth) * normal(uniforms)
