"""How sure the verdict is, before anything is fitted: the leader's share of the vote, shrunk while data is thin.

    confidence = share × answered / (sampled + 1)

For plain votes this is v / (n + 1), the mean of a Beta(0, 1) posterior: 0.5 after one sample, 0.9 only after nine
unanimous ones. Samples that were truncated or gave no answer count against it. It measures agreement, not truth: on
problems where the policy is consistently wrong it is too high. It is not a calibrated probability.
"""

from __future__ import annotations


def agreement_confidence(share: float, answered: int, sampled: int) -> float:
    """`share` of the total weight in [0, 1]; `answered` of the `sampled` solutions ended in an answer."""
    if answered == 0:
        return 0.0
    return share * answered / (sampled + 1)
