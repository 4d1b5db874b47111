"""Random draws as pure functions of a seed: the same stream always gives the same numbers.

A stream is a SplitMix64 generator (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): one
addition and three mixing steps a number, which is what a Thompson draw over hundreds of children can afford.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from domain.ids import derive_seed

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_UNIT = 2.0**-53

Stream = Iterator[float]
"""Uniform numbers, each strictly between 0 and 1."""


def stream(seed: int, *path: int | str) -> Stream:
    """The stream of one decision: its path is that of `derive_seed`."""
    return _uniforms(derive_seed(seed, *path))


def _uniforms(state: int) -> Stream:
    while True:
        state = (state + _GOLDEN) & _MASK
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        yield (((mixed ^ (mixed >> 31)) >> 11) + 0.5) * _UNIT


def normal(uniforms: Stream) -> float:
    """A standard normal draw (Box and Muller; the second of the pair is not used)."""
    radius = math.sqrt(-2.0 * math.log(next(uniforms)))
    return radius * math.cos(2.0 * math.pi * next(uniforms))


def gamma(shape: float, uniforms: Stream) -> float:
    """A draw from Gamma(shape, 1), shape > 0 (Marsaglia and Tsang, 2000)."""
    if shape < 1.0:
        return gamma(shape + 1.0, uniforms) * math.pow(next(uniforms), 1.0 / shape)
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(uniforms)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(next(uniforms)) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            return d * v


def beta(a: float, b: float, uniforms: Stream) -> float:
    """A draw from Beta(a, b); a, b > 0."""
    x, y = gamma(a, uniforms), gamma(b, uniforms)
    # Both underflow to 0 for very small shapes only, where the law is a coin between 0 and 1.
    return x / (x + y) if x + y > 0.0 else float(next(uniforms) < a / (a + b))


def systematic(weights: Sequence[float], count: int, offset: float) -> list[int]:
    """`count` indices drawn in proportion to `weights`, evenly spaced from one `offset` in (0, 1), ascending.

    Index i comes ⌊count·w⌋ or ⌈count·w⌉ times, w its share: the resampling of least variance of the usual ones
    (Douc, Cappé and Moulines, 2005). The weights are at least 0 and not all 0.
    """
    total, indices, cumulated, at = math.fsum(weights), [], 0.0, -1
    for draw in range(count):
        position = (draw + offset) / count * total
        while at < 0 or (cumulated <= position and at < len(weights) - 1):
            at += 1
            cumulated += weights[at]
        indices.append(at)
    return indices


def multinomial(weights: Sequence[float], count: int, uniforms: Stream) -> list[int]:
    """`count` independent indices drawn in proportion to `weights`, ascending."""
    positions = sorted(next(uniforms) for _ in range(count))
    return [systematic(weights, 1, position)[0] for position in positions]
