"""Lines of a batch's file: what runs, and what is answered with which error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.batch import CHAT, ENDPOINTS, NATIVE, RESPONSES, BatchStatus, parse_batch
from domain.batch_lines import Line, LineFault, read_line
from domain.dialects import Dialects
from domain.effort import adaptive_for
from domain.errors import InvalidRequest
from domain.facade.models import Catalogue
from domain.settings import Settings
from domain.specs.parallel import SelfConsistency

DIALECTS = Dialects(Catalogue(Settings(Path())))
FILE = "file_" + "0" * 26


def read(value: Any, endpoint: str = NATIVE, **defaults: Any) -> Line | LineFault:
    return read_line(value if isinstance(value, bytes) else json.dumps(value).encode(), 7, endpoint, defaults, DIALECTS)


def request(body: Any, endpoint: str = NATIVE, **changes: Any) -> dict[str, Any]:
    return {"custom_id": "a", "method": "POST", "url": endpoint, "body": body} | changes


def test_bare_problems() -> None:
    line = read({"id": "a", "problem": "1 + 1", "answer": "2", "subject": "arithmetic"})
    assert isinstance(line, Line)
    assert (line.custom_id, line.request.problem.text) == ("a", "1 + 1")
    named = read({"question": "1 + 1"})
    assert isinstance(named, Line)
    assert named.custom_id == "line-7"
    numbered = read({"id": 12, "problem": "1"})
    assert isinstance(numbered, Line)
    assert numbered.custom_id == "12"


def test_a_line_that_says_how_to_search_is_not_mixed_with_the_defaults() -> None:
    own = read({"problem": "1", "strategy": "self_consistency"}, effort="low", confidence=0.5)
    assert isinstance(own, Line)
    assert (own.request.strategy, own.request.confidence) == (SelfConsistency(), 0.5)
    default = read({"problem": "1"}, effort="low", budget={"tokens": 9})
    assert isinstance(default, Line)
    assert (default.request.strategy, default.request.budget.tokens) == (adaptive_for("low"), 9)


def test_openai_bodies() -> None:
    chat = read(request({"model": "m", "messages": [{"role": "user", "content": "6 * 7"}]}, CHAT), CHAT)
    assert isinstance(chat, Line)
    assert chat.request.problem.text == "6 * 7"
    body = {"model": "m", "input": "6 * 7", "reasoning": {"effort": "low"}}
    response = read(request(body, RESPONSES), RESPONSES)
    assert isinstance(response, Line)
    assert response.request.strategy == adaptive_for("low")


@pytest.mark.parametrize(
    ("line", "code", "param"),
    [
        (b"", "blank_line", None),
        (b" \t", "blank_line", None),
        (b"{", "invalid_json_line", None),
        (b"\xff\xfe", "invalid_json_line", None),
        (b"[1]", "invalid_json_line", None),
        (b'{"custom_id": "a", "x": NaN}', "invalid_json_line", None),
        (b"[" * 100_000, "invalid_json_line", None),
        (b'{"id": "a", "problem": "' + b"x" * 1_050_000 + b'"}', "line_too_long", None),
        ({"method": "POST", "url": NATIVE, "body": {}}, "missing_custom_id", "custom_id"),
        (request({}, custom_id=5), "invalid_custom_id", "custom_id"),
        (request({}, custom_id=""), "invalid_custom_id", "custom_id"),
        (request({}, custom_id="x" * 513), "invalid_custom_id", "custom_id"),
        (b'{"id": "\\ud800", "problem": "1"}', "invalid_custom_id", "custom_id"),
        (request({}, method="GET"), "invalid_method", "method"),
        (request({}, url="/v1/chat/completions"), "mismatched_url", "url"),
        (request("text"), "invalid_body", "body"),
        (request({}), "invalid_request", "body.problem"),
        (request({"problem": 5}), "invalid_request", "body.problem"),
        (request({"problem": "1", "webhook_url": "http://x"}), "invalid_request", "body.webhook_url"),
        (request({"problem": "1", "seed": -1}), "invalid_request", "body.seed"),
        (request({"problem": "1", "strategy": "x"}), "invalid_request", "body.strategy.name"),
        ({"id": "a", "problem": ""}, "invalid_request", "body.problem"),
    ],
)
def test_what_is_wrong_is_named(line: Any, code: str, param: str | None) -> None:
    fault = read(line)
    assert isinstance(fault, LineFault)
    assert (fault.code, fault.param) == (code, param)


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"model": "deliberate-vast", "input": "1"}, "model_not_found", 404),
        ({"input": "1", "stream": True}, "unsupported_parameter", 400),
        ({"input": "1", "previous_response_id": "resp_1"}, "unsupported_parameter", 400),
        ({"input": []}, "invalid_request", 400),
        ({"input": "1", "deliberate": {"webhook_url": "http://x"}}, "invalid_request", 400),
    ],
)
def test_what_is_wrong_in_responses_has_their_codes(body: Any, code: str, status: int) -> None:
    fault = read(request(body, RESPONSES), RESPONSES)
    assert isinstance(fault, LineFault)
    assert (fault.code, fault.status) == (code, status)


def test_a_fault_keeps_the_custom_id_and_repeats_nothing_of_the_body() -> None:
    fault = read(request({"problem": "", "secret": "canary"}))
    assert isinstance(fault, LineFault)
    assert fault.custom_id == "a"
    assert "canary" not in fault.message


MEMBERS = st.sampled_from(
    ["custom_id", "id", "method", "url", "body", "problem", "messages", "input", "model", "reasoning", "budget"]
)
TEXT = st.text("ab1\x00\ud800é", max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(MEMBERS, JSON | st.sampled_from(["POST", *ENDPOINTS])), st.sampled_from(ENDPOINTS))
def test_whatever_a_line_holds_it_is_a_request_or_a_fault(value: dict[str, Any], endpoint: str) -> None:
    assert isinstance(read_line(json.dumps(value).encode(), 1, endpoint, {}, DIALECTS), Line | LineFault)
    body = request(value, endpoint)
    assert isinstance(read_line(json.dumps(body).encode(), 1, endpoint, {}, DIALECTS), Line | LineFault)


@given(st.binary(max_size=200))
def test_bytes_are_a_request_or_a_fault(raw: bytes) -> None:
    assert isinstance(read_line(raw, 1, NATIVE, {}, DIALECTS), Line | LineFault)


def test_a_batch_is_read_with_its_defaults() -> None:
    batch = parse_batch({"input_file_id": FILE, "job_budget": {"tokens": 5}, "effort": "low"}, NATIVE)
    assert (batch.window_s, batch.priority, batch.defaults) == (86400, -10, {"effort": "low", "budget": {"tokens": 5}})
    with pytest.raises(InvalidRequest) as caught:
        parse_batch({"input_file_id": FILE})
    assert caught.value.param == "endpoint"


def test_the_statuses_are_openais() -> None:
    assert {status.value for status in BatchStatus} == {
        "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled",
    }  # fmt: skip
