"""Which strategy searches for which spec."""

from __future__ import annotations

from typing import Any

from domain.recipe import StrategySpec
from domain.specs.adaptive import Adaptive, ComputeOptimal
from domain.specs.adaptive_voting import AdaptiveVoting
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.specs.sequential import BudgetForcing, Revisions, RevisionTree
from domain.specs.stochastic import AdaptiveBranching, Mcts, Particles
from domain.specs.tree import Beam, Dvts, Lookahead, Rebase
from search.adaptive import AdaptiveStrategy
from search.adaptive_branching import AdaptiveBranchingStrategy
from search.adaptive_voting import AdaptiveVotingStrategy
from search.beam import BeamStrategy
from search.best_of_n import BestOfNStrategy
from search.budget_forcing import BudgetForcingStrategy
from search.compute_optimal import ComputeOptimalStrategy
from search.dvts import DvtsStrategy
from search.lookahead import LookaheadStrategy
from search.mcts import MctsStrategy
from search.particles import ParticlesStrategy
from search.rebase import RebaseStrategy
from search.revision_tree import RevisionTreeStrategy
from search.revisions import RevisionsStrategy
from search.self_consistency import SelfConsistencyStrategy
from search.strategy import Strategy

STRATEGIES: dict[type[StrategySpec], Strategy[Any, Any]] = {
    SelfConsistency: SelfConsistencyStrategy(),
    BestOfN: BestOfNStrategy(),
    AdaptiveVoting: AdaptiveVotingStrategy(),
    Adaptive: AdaptiveStrategy(),
    ComputeOptimal: ComputeOptimalStrategy(),
    Revisions: RevisionsStrategy(),
    Beam: BeamStrategy(),
    Lookahead: LookaheadStrategy(),
    Dvts: DvtsStrategy(),
    Rebase: RebaseStrategy(),
    RevisionTree: RevisionTreeStrategy(),
    AdaptiveBranching: AdaptiveBranchingStrategy(),
    Particles: ParticlesStrategy(),
    Mcts: MctsStrategy(),
    BudgetForcing: BudgetForcingStrategy(),
}


def strategy_for(spec: StrategySpec) -> Strategy[Any, Any]:
    return STRATEGIES[type(spec)]
