"""When a vote is decided: rules over the votes so far, in the order of their nodes.

A vote is the number of its answer's class; None is a solution without an answer, which counts as sampled and votes for
nobody. Law: votes for the leader never undo a decision, so that the fewest further samples after which a rule could
stop are known (`fewest_more`): that many may be sampled side by side without sampling one too many.

    horizon    the leader after all n samples will most likely be today's (beta-binomial between the first two)
    beta       Adaptive-Consistency's Beta rule: P(p > 1/2) for p ~ Beta(first + 1, second + 1) (2305.11860, 3.2)
    dirichlet  its Dirichlet rule: P(the leader has the largest share), for shares ~ Dirichlet(votes + 1) (2305.11860)
    margin     the leader is ahead of the second by a fixed number of votes
    window     the last whole window of samples agrees on one answer (early-stopping self-consistency, 2401.10480)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from domain.specs.adaptive_voting import AdaptiveVoting
from search.beta import regularised_incomplete_beta

Votes: TypeAlias = Sequence[int | None]
Rule: TypeAlias = Callable[[AdaptiveVoting, Votes], bool]

TOP_ANSWERS = 5
"""The Dirichlet rule looks at this many leading answers, as its authors' code does."""


def stops(spec: AdaptiveVoting, votes: Votes) -> bool:
    """Whether sampling ends after these votes."""
    return len(votes) >= spec.n or RULES[spec.rule](spec, votes)


def fewest_more(spec: AdaptiveVoting, votes: Votes) -> int:
    """The fewest further samples after which the rule could stop; 0 when it stops now."""
    if stops(spec, votes):
        return 0
    answered = [vote for vote in votes if vote is not None]
    hopes = {Counter(answered).most_common(1)[0][0], answered[-1]} if answered else {0}
    return min(_until_stop(spec, votes, hope) for hope in hopes)


def _until_stop(spec: AdaptiveVoting, votes: Votes, hope: int) -> int:
    """Samples until the rule stops when all of them vote for `hope`: found by halving, since it never unstops."""
    if spec.rule == "window":
        return next(more for more in range(1, spec.n + 1) if stops(spec, [*votes, *[hope] * more]))
    low, high = 0, spec.n - len(votes)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if stops(spec, [*votes, *[hope] * middle]) else (middle, high)
    return high


def leading_two(votes: Votes) -> tuple[int, int]:
    """Votes of the leader and of the second."""
    first, second, *_ = [*(count for _, count in _counts(votes)), 0, 0]
    return first, second


def _counts(votes: Votes) -> list[tuple[int, int]]:
    return Counter(vote for vote in votes if vote is not None).most_common()


def _horizon(spec: AdaptiveVoting, votes: Votes) -> bool:
    first, second = leading_two(votes)
    return first > second and still_leads(first, second, max(spec.n - len(votes), 0)) >= spec.threshold


def _beta(spec: AdaptiveVoting, votes: Votes) -> bool:
    return leader_beats_second(*leading_two(votes)) >= spec.threshold


def _dirichlet(spec: AdaptiveVoting, votes: Votes) -> bool:
    counts = tuple(count for _, count in _counts(votes))[:TOP_ANSWERS]
    if len(counts) < 3:
        return _beta(spec, votes)
    return leader_is_largest(counts) >= spec.threshold


def _margin(spec: AdaptiveVoting, votes: Votes) -> bool:
    first, second = leading_two(votes)
    return first - second >= spec.margin


def _window(spec: AdaptiveVoting, votes: Votes) -> bool:
    last = votes[len(votes) - spec.window :] if len(votes) >= spec.window and len(votes) % spec.window == 0 else ()
    return bool(last) and last[0] is not None and len(set(last)) == 1


RULES: dict[str, Rule] = {
    "horizon": _horizon,
    "beta": _beta,
    "dirichlet": _dirichlet,
    "margin": _margin,
    "window": _window,
}


@lru_cache(maxsize=65_536)
def leader_beats_second(first: int, second: int) -> float:
    """P(p > 1/2) for p ~ Beta(first + 1, second + 1)."""
    return regularised_incomplete_beta(second + 1, first + 1, 0.5)


@lru_cache(maxsize=65_536)
def still_leads(first: int, second: int, left: int) -> float:
    """P(the leader is not overtaken in `left` more votes between the two), beta-binomial; a tie counts half."""
    weights = _beta_binomial_weights(left, first + 1, second + 1)
    tie, odd = divmod(second + left - first, 2)
    leads = math.fsum(weights[max(tie + 1, 0) :])
    even = weights[tie] if not odd and 0 <= tie <= left else 0.0
    return (leads + even / 2) / math.fsum(weights)


def _beta_binomial_weights(n: int, a: int, b: int) -> list[float]:
    """Proportional to P(k of n), k = 0 … n, for p ~ Beta(a, b). Ratios from the middle outwards: nothing overflows."""
    weights = [0.0] * (n + 1)
    start = n * a // (a + b)
    weights[start] = 1.0
    for k in range(start, n):
        weights[k + 1] = weights[k] * (n - k) * (a + k) / ((k + 1) * (b + n - k - 1))
    for k in range(start, 0, -1):
        weights[k - 1] = weights[k] * k * (b + n - k) / ((n - k + 1) * (a + k - 1))
    return weights


_INTERVALS = 96
"""Of Simpson's rule: the error is below 1e-6 for up to thousands of votes."""


@lru_cache(maxsize=65_536)
def leader_is_largest(counts: tuple[int, ...]) -> float:
    """P(the first share is the largest) for shares ~ Dirichlet(counts + 1).

    ∫ gamma(x; c₁ + 1) Π P(Gamma(cᵢ + 1) < x) dx over the leader's gamma variable, by Simpson's rule.
    """
    leader, others = counts[0], counts[1:]
    spread = math.sqrt(leader + 1)
    low, high = max(0.0, leader + 1 - 9 * spread), leader + 1 + 14 * spread
    width = (high - low) / _INTERVALS
    total = 0.0
    for at in range(_INTERVALS + 1):
        x = low + at * width
        weight = 1 if at in (0, _INTERVALS) else 4 if at % 2 else 2
        total += weight * _gamma_density(leader, x) * math.prod(_gamma_below(count, x) for count in others)
    return min(total * width / 3, 1.0)


def _gamma_density(count: int, x: float) -> float:
    """Density at x of Gamma(count + 1)."""
    if x <= 0:
        return 1.0 if count == 0 else 0.0
    return math.exp(count * math.log(x) - x - math.lgamma(count + 1))


def _gamma_below(count: int, x: float) -> float:
    """P(Gamma(count + 1) < x), a Poisson tail."""
    if x <= 0:
        return 0.0
    above = math.fsum(math.exp(k * math.log(x) - x - math.lgamma(k + 1)) for k in range(count + 1))
    return max(0.0, 1.0 - above)
