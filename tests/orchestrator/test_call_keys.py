"""A call key names a call by all that can change its answer."""

from dataclasses import replace

from domain.moves import Score
from orchestrator.engines import Engines
from tests.support.engines import FakePolicy, FakeVerifier


def test_another_text_under_the_same_node_is_another_call() -> None:
    """A step may be scored alone and with what follows it."""
    engines = Engines(FakePolicy(), FakeVerifier())
    move = Score("score-1", 1, 7, 0, "Add.")
    assert engines.key("job", move) == engines.key("job", replace(move))
    assert engines.key("job", move) != engines.key("job", replace(move, solution="Add.\n\nMultiply."))
