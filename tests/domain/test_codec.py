"""Every event survives the way through JSON, whatever it holds."""

import json
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from domain.codec import decode_event, encode
from domain.events import Event
from domain.moves import Sampled

EVENTS = get_args(Event)


@given(st.one_of([st.from_type(event) for event in EVENTS]))
def test_events_survive_json(event: Event) -> None:
    text = json.dumps(encode(event), allow_nan=True)
    read = decode_event(json.loads(text))
    # NaN differs from itself, so that texts are compared where it may occur.
    assert json.dumps(encode(read), allow_nan=True) == text
    assert type(read) is type(event)


def test_old_traces_stay_readable() -> None:
    """A member that was added later takes its default."""
    data = {
        "type": "move_settled",
        "call_key": "k",
        "outcome": {
            "type": "sampled", "move_id": "m", "text": "t", "finish": "end", "answer": None, "logprob": None, "cost": {}
        },
    }  # fmt: skip
    event = decode_event(data)
    assert isinstance(event.outcome, Sampled)  # type: ignore[union-attr]
    assert event.outcome.equivalent == ()  # type: ignore[union-attr]
