"""How well scores tell right solutions of one problem from wrong ones, whatever the scores' scale."""

from __future__ import annotations

from collections.abc import Sequence


def within_auc(rights: Sequence[float], wrongs: Sequence[float]) -> float | None:
    """The chance that a right solution scores above a wrong one of the same problem; a tie counts half.

    None when the problem has not both kinds.
    """
    if not rights or not wrongs:
        return None
    wins = sum((right > wrong) + 0.5 * (right == wrong) for right in rights for wrong in wrongs)
    return wins / (len(rights) * len(wrongs))
