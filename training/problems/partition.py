"""Train, calibration and test: which problem may belong where, and stratified sets of distinct problems.

Law: a problem's signature alone decides its split, so that two splits can't share a problem or a near-duplicate of one
(other phrasing, other order of the numbers), whatever their sizes and seeds. Within a split the problems' texts differ,
and in calibration and test their signatures, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count, cycle, islice

from domain.errors import InvalidRequest
from training.problems.catalogue import LEVELS, SUBJECTS
from training.problems.generator import GeneratedProblem, draft, recognise

SPLITS = {"train": range(0, 60), "calibration": range(60, 80), "test": range(80, 100)}
"""Buckets of the signature's hash, of 100."""
MAX_MISSES = 3000
"""Draws in a row without a new problem after which a subject's level counts as exhausted."""

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)


def exact_key(problem: str) -> str:
    """The text without its case, its white space and its dollar signs; numbers are kept."""
    return " ".join(problem.replace("$", " ").casefold().split())


def signature(problem: str) -> str:
    """The kind and its sorted numbers; for a text that no generator wrote: its words with the sorted numbers."""
    found = recognise(problem)
    if found is not None:
        kind, given = found
        return kind.signature(given)
    key = exact_key(problem)
    return f"{_NUMBER.sub('#', key)}|{','.join(sorted(_NUMBER.findall(key)))}"


def split_of(problem: str) -> str:
    """The only split that this problem may belong to."""
    return _split_of(signature(problem))


def _split_of(mark: str) -> str:
    bucket = int.from_bytes(hashlib.sha256(mark.encode()).digest()[:8], "big") % 100
    return next(name for name, buckets in SPLITS.items() if bucket in buckets)


def make_split(
    split: str, n: int, seed: int = 0, *, subjects: Sequence[str] = tuple(SUBJECTS), levels: Sequence[int] = LEVELS
) -> list[GeneratedProblem]:
    """The first `n` problems of the split with this seed."""
    return list(islice(stream(split, seed, subjects=subjects, levels=levels), n))


def stream(
    split: str, seed: int = 0, *, subjects: Sequence[str] = tuple(SUBJECTS), levels: Sequence[int] = LEVELS
) -> Iterator[GeneratedProblem]:
    """Distinct problems, one of each subject and level in turn. Raises InvalidRequest when one has no more."""
    _check(split, subjects, levels)
    seen: set[str] = set()
    cells = [_cell(split, seed, subject, level, seen) for level in levels for subject in subjects]
    for cell in cycle(cells):
        yield next(cell)


def pool(split: str, per_cell: int, seed: int = 0, *, levels: Sequence[int] = LEVELS) -> list[GeneratedProblem]:
    """Up to `per_cell` distinct problems of each subject and level; all that there are where there are fewer."""
    seen: set[str] = set()
    found: list[GeneratedProblem] = []
    for level in levels:
        for subject in SUBJECTS:
            cell = _cell(split, seed, subject, level, seen)
            with suppress(InvalidRequest):  # this subject's level has no more
                found += (next(cell) for _ in range(per_cell))
    return found


def _check(split: str, subjects: Sequence[str], levels: Sequence[int]) -> None:
    for name, asked, known in (("split", [split], SPLITS), ("subject", subjects, SUBJECTS), ("level", levels, LEVELS)):
        unknown = next((item for item in asked if item not in known), None)
        if unknown is not None:
            raise InvalidRequest(f"unknown {name} {unknown!r}: use {', '.join(map(str, known))}", param=name)
        if not asked or len(set(asked)) != len(asked):
            raise InvalidRequest(f"name at least one {name}, and each once", param=name)


def _cell(split: str, seed: int, subject: str, level: int, seen: set[str]) -> Iterator[GeneratedProblem]:
    """The split's problems of one subject and level; `seen` is shared by all cells."""
    missed, made = 0, count(1)
    for at in count():
        drafted = draft(subject, level, f"{split}/{seed}/{at}")
        problem = drafted.finished("") if _split_of(drafted.signature) == split else None
        mark = exact_key(problem.problem) if problem and split == "train" else drafted.signature
        if problem is None or mark in seen:
            missed += 1
            if missed > MAX_MISSES:
                raise InvalidRequest(f"{subject} level {level} has no more distinct {split} problems: ask for fewer")
            continue
        missed = 0
        seen.add(mark)
        yield replace(problem, id=f"{split}-{seed}-{subject}-{level}-{next(made):05d}")
