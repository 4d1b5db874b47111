"""Which rows every step reads, decided before the first step.

Law: the plan follows from the rows' lengths, the settings and the seed alone, so that a run that goes on after a kill
reads what it would have read.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

from training.hf.settings import Settings

POOL = 32
"""Micro-batches whose rows are sorted by length together, so that little of each is padding."""

MicroBatch = tuple[int, ...]
"""Indices of rows."""


def plan(lengths: Sequence[int], settings: Settings, devices: int = 1) -> list[MicroBatch]:
    """Micro-batches of the whole run, in order: `devices` × `settings.accumulate` of them are one optimiser step.

    With `epochs`, the last step is filled up from one more pass over the rows.
    """
    a_step = devices * settings.accumulate
    passes = (_one_pass(lengths, settings, epoch) for epoch in itertools.count())
    if settings.max_steps is not None:
        return list(itertools.islice(itertools.chain.from_iterable(passes), settings.max_steps * a_step))
    asked = list(itertools.chain.from_iterable(itertools.islice(passes, settings.epochs)))
    missing = -len(asked) % a_step
    return asked + list(itertools.islice(itertools.chain.from_iterable(passes), missing))


def _one_pass(lengths: Sequence[int], settings: Settings, epoch: int) -> Iterator[MicroBatch]:
    rng = random.Random(f"{settings.seed}/{epoch}")
    order = list(range(len(lengths)))
    rng.shuffle(order)
    a_batch = settings.batch_size
    if settings.batch_tokens is not None:
        a_batch = max(1, settings.batch_tokens // max(lengths))
    for start in range(0, len(order), POOL * a_batch):
        batches = _batches(sorted(order[start : start + POOL * a_batch], key=lengths.__getitem__), lengths, settings)
        rng.shuffle(batches)
        yield from batches


def _batches(ordered: Sequence[int], lengths: Sequence[int], settings: Settings) -> list[MicroBatch]:
    """Cuts rows, shortest first, into micro-batches; a row above `batch_tokens` gets one to itself."""
    batches: list[list[int]] = [[]]
    for index in ordered:
        rows = len(batches[-1]) + 1
        tokens = settings.batch_tokens
        full = rows > settings.batch_size if tokens is None else rows * lengths[index] > tokens
        if full and batches[-1]:
            batches.append([])
        batches[-1].append(index)
    return [tuple(batch) for batch in batches]
