"""From counted ballots to a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from domain.verdict import Verdict
from search.confidence import agreement_confidence
from search.features import evidence_for
from search.tree import Node
from search.voting import AnswerClass, Ballot, candidates, tally

NOTHING = Verdict(None, 0.0, None, "No solution has ended in an answer yet.")


def by_majority(nodes: Sequence[Node], sampled: int, why: str = "most votes") -> Verdict:
    """The class with the most votes; its earliest solution stands for it."""
    classes = tally([Ballot(node, 1.0) for node in nodes], nodes)
    if not classes:
        return NOTHING
    return elected(classes, classes[0], sampled, why)


def elected(
    classes: Sequence[AnswerClass], winner: AnswerClass, sampled: int, why: str, search_flops: float = 0.0
) -> Verdict:
    """The verdict for `winner`. `sampled` counts all solutions that came back, also those without an answer."""
    answered = sum(len(one.ballots) for one in classes)
    total = sum(one.weight for one in classes)
    share = winner.weight / total if total > 0 else len(winner.ballots) / answered
    reason = f"{winner.text} has the {why}: {len(winner.ballots)} of {answered} answers, {share:.0%} of the weight."
    confidence = agreement_confidence(share, answered, sampled)
    evidence = evidence_for(classes, winner, sampled, search_flops)
    return Verdict(winner.text, confidence, winner.best.node.text, reason, candidates(classes), evidence=evidence)
