"""Each strategy under the laws, and every registered strategy has its class here."""

from hypothesis import strategies as st

from domain.recipe import SPECS
from domain.specs.parallel import BestOfN, SelfConsistency
from search.aggregation import AGGREGATIONS
from search.registry import STRATEGIES
from tests.search.laws import StrategyLaws


class TestSelfConsistency(StrategyLaws):
    specs = st.builds(SelfConsistency, n=st.integers(1, 20))


class TestBestOfN(StrategyLaws):
    specs = st.builds(
        BestOfN,
        n=st.integers(1, 20),
        selection=st.sampled_from(["weighted", "best"]),
        aggregation=st.sampled_from(sorted(AGGREGATIONS)),
    )


def test_every_strategy_is_registered_and_under_the_laws() -> None:
    assert set(STRATEGIES) == set(SPECS.values())
    assert {f"Test{spec.__name__}" for spec in SPECS.values()} <= set(globals())
