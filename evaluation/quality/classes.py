"""Answers as equivalence classes, as in the service: exactly first, symbolically where that can't decide.

Law: the relation is closed under chains of findings; two different numbers are never one class.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.ports import AnswerEquivalence


async def classes(keys: Sequence[str], equivalence: AnswerEquivalence) -> dict[str, str]:
    """For each key the first of `keys` that it equals."""
    parent: dict[str, str] = {}
    for key in dict.fromkeys(keys):
        earlier = list(parent)
        parent[key] = key
        for other in await equivalence.equivalent(key, earlier):
            first, second = sorted((_root(parent, key), _root(parent, other)), key=list(parent).index)
            parent[second] = first
    return {key: _root(parent, key) for key in parent}


def _root(parent: dict[str, str], key: str) -> str:
    while parent[key] != key:
        key = parent[key]
    return key
