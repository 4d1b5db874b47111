"""Each strategy under the laws, and every registered strategy has its class here."""

from collections.abc import Mapping

from hypothesis import strategies as st

from domain.moves import STEP_SEPARATOR, Sample
from domain.recipe import SPECS
from domain.specs.adaptive import Adaptive, ComputeOptimal
from domain.specs.adaptive_voting import AdaptiveVoting
from domain.specs.parallel import BestOfN, SelfConsistency
from domain.specs.sequential import BudgetForcing, Revisions, RevisionTree
from domain.specs.stochastic import AdaptiveBranching, Mcts, Particles
from domain.specs.tree import Beam, Dvts, Lookahead, Rebase
from search.aggregation import AGGREGATIONS
from search.registry import STRATEGIES
from search.stop_rules import RULES
from tests.search.laws import StrategyLaws


def goes_on_from_a_beginning(move: Sample, ended: Mapping[int, str]) -> bool:
    """The prefix is a proper beginning, of whole steps, of the solution that it comes from."""
    whole = ended[move.parent]
    return whole.startswith(move.prefix) and move.prefix.endswith(STEP_SEPARATOR) and not move.attempts


class TestSelfConsistency(StrategyLaws):
    specs = st.builds(SelfConsistency, n=st.integers(1, 20))


class TestAdaptiveVoting(StrategyLaws):
    specs = st.builds(
        AdaptiveVoting,
        n=st.integers(1, 20),
        rule=st.sampled_from(sorted(RULES)),
        threshold=st.sampled_from([0.5, 0.9, 0.95, 1.0]),
        margin=st.integers(1, 6),
        window=st.integers(2, 6),
        round=st.integers(1, 5),
    )


class TestAdaptive(StrategyLaws):
    specs = st.builds(Adaptive, n=st.integers(1, 20), probe=st.integers(1, 6))


class TestComputeOptimal(StrategyLaws):
    specs = st.builds(ComputeOptimal, n=st.integers(1, 20))


class TestBestOfN(StrategyLaws):
    specs = st.builds(
        BestOfN,
        n=st.integers(1, 20),
        selection=st.sampled_from(["weighted", "best"]),
        aggregation=st.sampled_from(sorted(AGGREGATIONS)),
    )


class TestRevisions(StrategyLaws):
    specs = st.builds(
        Revisions,
        n=st.integers(1, 20),
        ratio=st.sampled_from([1 / 16, 0.5, 1.0, 4.0, 20.0]),
        attempts=st.integers(1, 4),
        selection=st.sampled_from(["weighted", "hierarchical", "best", "majority"]),
        aggregation=st.sampled_from(sorted(AGGREGATIONS)),
    )


STEPWISE: dict[str, st.SearchStrategy[object]] = {
    "n": st.integers(1, 9),
    "max_steps": st.integers(1, 5),
    "selection": st.sampled_from(["weighted", "best"]),
    "aggregation": st.sampled_from(sorted(AGGREGATIONS)),
    "certain": st.sampled_from([1.0, 0.5]),
}
WIDTH = {"width": st.sampled_from([1, 2, 3, 9, "sqrt"])}


class TestBeam(StrategyLaws):
    specs = st.builds(Beam, finished=st.sampled_from(["hold", "free"]), **STEPWISE, **WIDTH)


class TestLookahead(StrategyLaws):
    specs = st.builds(
        Lookahead, lookahead=st.integers(1, 3), finished=st.sampled_from(["hold", "free"]), **STEPWISE, **WIDTH
    )


class TestDvts(StrategyLaws):
    specs = st.builds(Dvts, **STEPWISE, **WIDTH)


class TestRebase(StrategyLaws):
    specs = st.builds(Rebase, score_temperature=st.sampled_from([0.001, 0.1, 10.0]), **STEPWISE)


class TestRevisionTree(StrategyLaws):
    specs = st.builds(
        RevisionTree,
        n=st.integers(1, 20),
        parallel=st.integers(1, 6),
        width=st.integers(1, 4),
        drop=st.sampled_from([0.0, 0.5, 1.0]),
        selection=st.sampled_from(["weighted", "best"]),
        aggregation=st.sampled_from(sorted(AGGREGATIONS)),
    )

    def may_continue(self, move: Sample, ended: Mapping[int, str]) -> bool:
        return goes_on_from_a_beginning(move, ended)


class TestAdaptiveBranching(StrategyLaws):
    specs = st.builds(
        AdaptiveBranching,
        n=st.integers(1, 20),
        parallel=st.integers(1, 6),
        prior=st.sampled_from(["beta", "gaussian"]),
        selection=st.sampled_from(["weighted", "best"]),
        aggregation=st.sampled_from(sorted(AGGREGATIONS)),
    )


class TestParticles(StrategyLaws):
    specs = st.builds(
        Particles,
        n=st.integers(1, 16),
        max_steps=st.integers(1, 6),
        aggregation=st.sampled_from(sorted(AGGREGATIONS)),
        selection=st.sampled_from(["weighted", "best"]),
        certain=st.sampled_from([1.0, 0.5]),
        score_temperature=st.sampled_from([0.1, 1.0]),
        resampling=st.sampled_from(["systematic", "multinomial"]),
    )


class TestMcts(StrategyLaws):
    specs = st.builds(
        Mcts,
        n=st.integers(1, 20),
        parallel=st.integers(1, 8),
        aggregation=st.sampled_from(sorted(AGGREGATIONS)),
        selection=st.sampled_from(["weighted", "best"]),
        width=st.integers(1, 3),
        widening=st.sampled_from([0.0, 0.5, 1.0]),
    )

    def may_continue(self, move: Sample, ended: Mapping[int, str]) -> bool:
        return goes_on_from_a_beginning(move, ended)


class TestBudgetForcing(StrategyLaws):
    specs = st.builds(
        BudgetForcing,
        n=st.integers(1, 6),
        waits=st.integers(0, 2),
        thinking_tokens=st.integers(1, 60),
        chunk_tokens=st.integers(1, 20),
        probes=st.integers(0, 3),
        warmup=st.integers(1, 4),
        keep=st.sampled_from([0.0, 0.5, 1.0]),
        selection=st.sampled_from(["confidence", "majority"]),
    )

    def may_continue(self, move: Sample, ended: Mapping[int, str]) -> bool:
        """A trace goes on after "wait", after its closed thinking and after a probe; never after its own end."""
        return move.parent not in ended or ended[move.parent] != move.prefix


def test_every_strategy_is_registered_and_under_the_laws() -> None:
    assert set(STRATEGIES) == set(SPECS.values())
    assert {f"Test{spec.__name__}" for spec in SPECS.values()} <= set(globals())
