"""Where a self-deciding search stands: the answer it would return, how sure it is, and on what grounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.calibration import Calibration
from domain.verdict import ConfidenceKind, Verdict
from search.confidence import fitted_confidence
from search.election import elect, model_after
from search.features import evidence_for
from search.solutions import classes_of, votes_of
from search.stages import Stage, stage_over
from search.tree import Node, ScoreStatus
from search.verdicts import NOTHING, elected
from search.voting import AnswerClass

VOTES = "most votes"
CHANCE = "highest fitted chance of being right"
WEIGHTED = "largest sum of verifier scores"
GUARDED = "most votes (the verifier has no say)"


@dataclass(frozen=True, slots=True)
class Standing:
    verdict: Verdict
    best_score: float = 0.0
    """Of the returned answer; 0 without scores."""
    vote_share: float = 0.0
    """Of the returned answer, among all that came back."""
    scored: bool = False
    top_share: float = 0.0
    """The largest share of any answer."""
    guarded: bool = False
    """The guard has taken the verifier's say."""


def stand(
    nodes: Sequence[Node],
    sampled: int,
    calibration: Calibration | None,
    *,
    by_votes: bool = False,
    stages: Sequence[Stage] = (),
) -> Standing:
    """By votes where nothing is scored, or where the verifier is to have no say; else by the model for a search with
    these `stages` behind it."""
    scored = any(node.scoring is ScoreStatus.SCORED for node in nodes)
    if by_votes or not scored:
        return _by_votes(nodes, sampled, calibration, GUARDED if scored else VOTES)
    classes = classes_of(nodes)
    model, flops = model_after(calibration, [stage.spec for stage in stages]), sum(stage.flops for stage in stages)
    if model is None:
        return _standing(classes, classes[0], sampled, elected(classes, classes[0], sampled, WEIGHTED))
    winner, chance = elect(model, classes, sampled, flops)
    why = WEIGHTED if stages else CHANCE
    return _standing(classes, winner, sampled, _fitted(elected(classes, winner, sampled, why, flops), chance))


def so_far(standing: Standing, calibration: Calibration | None, stages: Sequence[Stage]) -> Standing:
    """While a search over steps is not over it makes no surer than the least sure of those that were.

    What ends first is often short and wrong, its scores come after it, and its kin's votes are no agreement: nothing of
    that was fitted, and a search that stops as soon as it looks sure would stop there.
    """
    if not stages or stage_over(stages[-1]):
        return standing
    model = model_after(calibration, (stages[-1].spec,))
    if model is None:
        return standing
    least = min(standing.verdict.confidence, model.sure[0])
    return replace(standing, verdict=replace(standing.verdict, confidence=least))


def votes_chance(nodes: Sequence[Node], sampled: int, calibration: Calibration) -> float:
    """P(right) of the answer with the most votes, as if there were no scores; 0 where that was not fitted."""
    model, classes = calibration.model("votes"), votes_of(nodes)
    if model is None or not classes:
        return 0.0
    return fitted_confidence(model, replace(evidence_for(classes, classes[0], sampled), scored=0))


def _by_votes(nodes: Sequence[Node], sampled: int, calibration: Calibration | None, why: str) -> Standing:
    classes = votes_of(nodes)
    if not classes:
        return Standing(NOTHING)
    verdict = elected(classes, classes[0], sampled, why)
    if calibration is not None and calibration.model("votes") is not None:
        verdict = _fitted(verdict, votes_chance(nodes, sampled, calibration))
    return replace(_standing(classes, classes[0], sampled, verdict), scored=False)


def _fitted(verdict: Verdict, chance: float) -> Verdict:
    return replace(verdict, confidence=chance, confidence_kind=ConfidenceKind.CALIBRATED)


def _standing(classes: Sequence[AnswerClass], winner: AnswerClass, sampled: int, verdict: Verdict) -> Standing:
    most = max(len(one.ballots) for one in classes)
    return Standing(
        verdict=verdict,
        best_score=winner.best.weight,
        vote_share=len(winner.ballots) / max(sampled, 1),
        scored=True,
        top_share=most / max(sampled, 1),
    )
