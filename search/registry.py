"""Which strategy searches for which spec."""

from __future__ import annotations

from typing import Any

from domain.recipe import StrategySpec
from domain.specs.adaptive_voting import AdaptiveVoting
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.specs.sequential import Revisions
from search.adaptive_voting import AdaptiveVotingStrategy
from search.best_of_n import BestOfNStrategy
from search.revisions import RevisionsStrategy
from search.self_consistency import SelfConsistencyStrategy
from search.strategy import Strategy

STRATEGIES: dict[type[StrategySpec], Strategy[Any, Any]] = {
    SelfConsistency: SelfConsistencyStrategy(),
    BestOfN: BestOfNStrategy(),
    AdaptiveVoting: AdaptiveVotingStrategy(),
    Revisions: RevisionsStrategy(),
}


def strategy_for(spec: StrategySpec) -> Strategy[Any, Any]:
    return STRATEGIES[type(spec)]
