"""The order in which the base sees the levels: small numbers first, since sums are learnt before sums of sums.

Law: the stages' shares of the steps add up to one; within a stage the levels come in the stage's proportions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from training.data import Batch, Row, batches

PORTION = 8000
"""Rows that are mixed and bucketed at a time."""


@dataclass(frozen=True, slots=True)
class Stage:
    share: float
    """Part of all steps."""
    levels: tuple[float, ...]
    """Relative weight of levels 1 to 5."""


def staged_batches(
    rows: Mapping[int, Sequence[Row]], stages: Sequence[Stage], steps: int, tokens: int, seed: int
) -> Iterator[Batch]:
    """`steps` batches; each level's rows are gone through in order, again and again."""
    sources = {level: itertools.cycle(rows[level]) for level in sorted(rows)}
    portions = itertools.count(seed)
    for stage, last in zip(stages, _ends(stages, steps), strict=True):
        stream = itertools.chain.from_iterable(
            batches(_portion(sources, stage), tokens, portion) for portion in portions
        )
        yield from itertools.islice(stream, last[1] - last[0])


def _ends(stages: Sequence[Stage], steps: int) -> list[tuple[int, int]]:
    """First step and the step after the last one, of each stage."""
    marks = [round(steps * share) for share in itertools.accumulate((stage.share for stage in stages), initial=0.0)]
    return list(itertools.pairwise(marks))


def _portion(sources: Mapping[int, Iterator[Row]], stage: Stage) -> list[Row]:
    total = sum(stage.levels)
    return [
        row
        for source, weight in zip(sources.values(), stage.levels, strict=True)
        for row in itertools.islice(source, round(PORTION * weight / total))
    ]
