"""Every event survives the way through JSON, whatever it holds."""

import json
from typing import get_args

from hypothesis import example, given
from hypothesis import strategies as st

from domain.budget import Budget, Spend
from domain.codec import decode, decode_event, encode, encode_stored
from domain.events import Event, JobSubmitted, MoveSettled
from domain.moves import Answer, Failed, FailureKind, FinishReason, Sampled, Scored
from domain.problem import text_problem
from domain.specs.adaptive import Adaptive
from domain.specs.parallel import BestOfN
from domain.specs.sequential import Revisions

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


def test_a_stored_spec_means_what_it_did_before_it_had_a_parameter() -> None:
    new = JobSubmitted(text_problem("?"), Revisions(n=4), Budget(), None, 1)
    old = encode(new)
    del old["strategy"]["margin"]
    read = decode_event(old)
    assert isinstance(read, JobSubmitted)
    assert read.strategy == Revisions(n=4, margin=0.0)
    assert decode_event(encode(new)) == new


@given(st.one_of([st.from_type(event) for event in EVENTS]))
@example(JobSubmitted(text_problem("?"), Adaptive(n=0), Budget(), None, 1))  # its price goes by n
def test_the_stored_form_says_the_same(event: Event) -> None:
    whole = json.dumps(encode(decode_event(json.loads(json.dumps(encode(event))))))
    stored = json.dumps(encode(decode_event(json.loads(json.dumps(encode_stored(event))))))
    # A zero without its sign is the same amount.
    assert stored.replace("-0.0", "0.0") == whole.replace("-0.0", "0.0")


SAMPLED = MoveSettled(
    "k", Sampled("m", "t", FinishReason.END, Answer("2", "q:2"), None, Spend(prompt_tokens=3, flops=2e6, rollouts=1))
)


def test_stored_amounts_leave_out_what_is_none() -> None:
    """Golden: traces in this form are in databases, and must be read for ever."""
    stored = {
        "type": "move_settled",
        "call_key": "k",
        "outcome": {
            "type": "sampled", "move_id": "m", "text": "t", "finish": "end", "answer": {"text": "2", "key": "q:2"},
            "logprob": None, "cost": {"prompt_tokens": 3, "flops": 2e6, "rollouts": 1},
        },
    }  # fmt: skip
    assert encode_stored(SAMPLED) == stored
    assert decode_event(stored) == SAMPLED
    scored = MoveSettled("k", Scored("m", (0.5,), Spend(verified_tokens=7, flops=1.0, verifier_calls=1)))
    assert encode_stored(scored)["outcome"] == {
        "type": "scored", "move_id": "m", "scores": [0.5],
        "cost": {"verified_tokens": 7, "flops": 1.0, "verifier_calls": 1},
    }  # fmt: skip
    failed = MoveSettled("k", Failed("m", FailureKind.ENGINE, "down"))
    assert encode_stored(failed)["outcome"] == {"type": "failed", "move_id": "m", "kind": "engine", "message": "down"}
    assert decode_event(encode_stored(failed)) == failed


def test_clients_see_whole_amounts_and_settings_are_stored_whole() -> None:
    cost = encode(SAMPLED)["outcome"]["cost"]
    assert cost == {
        "prompt_tokens": 3, "generated_tokens": 0, "verified_tokens": 0, "flops": 2e6, "rollouts": 1,
        "verifier_calls": 0, "cached_prompt_tokens": 0, "cached_verified_tokens": 0,
    }  # fmt: skip
    assert encode(SAMPLED)["outcome"]["equivalent"] == []
    assert decode(Spend, encode_stored(Spend())) == Spend()
    submitted = JobSubmitted(text_problem("?"), BestOfN(), Budget(), None, 1)
    assert encode_stored(submitted) == encode(submitted)
