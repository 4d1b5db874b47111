"""What a response can't be is refused with its name; what only tunes is ignored."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.responses import URL, created

pytestmark = pytest.mark.integration


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"input": 3}, "input"),
    ({"input": ""}, "input"),
    ({}, "input"),
    ({"input": [{"role": "king", "content": "x"}]}, "input.0.role"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}]}, "input.0.content.0"),
    ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input.0.content.0"),
    ({"input": [{"role": "user", "content": [{"type": {}, "text": "x"}]}]}, "input.0.content.0.type"),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "input.0.type"),
    ({"input": [{"type": [], "role": "user", "content": "x"}]}, "input.0.type"),
    ({"input": [{"role": {}, "content": "x"}]}, "input.0.role"),
    ({"input": "x", "tools": [{"type": "web_search"}]}, "tools"),
    ({"input": "x", "tool_choice": "required"}, "tool_choice"),
    ({"input": "x", "text": {"format": {"type": "json_schema"}}}, "text.format.type"),
    ({"input": "x", "reasoning": {"effort": "heroic"}}, "reasoning.effort"),
    ({"input": "x", "reasoning": {"summary": 1}}, "reasoning.summary"),
    ({"input": "x", "reasoning": []}, "reasoning"),
    ({"input": "x", "temperature": 3}, "temperature"),
    ({"input": "x", "top_p": True}, "top_p"),
    ({"input": "x", "max_output_tokens": 0}, "max_output_tokens"),
    ({"input": "x", "metadata": {"a": 1}}, "metadata.a"),
    ({"input": "x", "model": ""}, "model"),
    ({"input": "x", "conversation": "conv_1"}, "conversation"),
    ({"input": "x", "prompt": {"id": "p"}}, "prompt"),
    ({"input": "x", "background": 1}, "background"),
    ({"input": "x", "colour": "red"}, "colour"),
    ({"input": "x", "previous_response_id": 7}, "previous_response_id"),
    ({"input": "x", "deliberate": 7}, "deliberate"),
    ({"input": "x", "deliberate": {"problem": "y"}}, "deliberate.problem"),
    ({"input": "x", "deliberate": {"effort": "low"}}, "deliberate.effort"),
    ({"input": "x", "deliberate": {"strategy": "magic"}}, "deliberate.strategy.name"),
    ({"input": "x", "deliberate": {"strategy": "beam"}, "reasoning": {"effort": "low"}}, "reasoning.effort"),
    ({"input": "x", "deliberate": {"budget": {"tokens": -1}}, "max_output_tokens": 5}, "deliberate.budget.tokens"),
]


async def test_what_would_change_the_meaning_is_refused_with_its_name(client: httpx.AsyncClient) -> None:
    for body, param in REFUSALS:
        response = await client.post(URL, json=body)
        error = response.json()["error"]
        assert (response.status_code, error["param"], error["type"]) == (400, param, "invalid_request_error"), body
        assert response.headers["x-request-id"] == response.json()["request_id"]
    ours = await client.post(URL, json={"input": "x", "model": "deliberate-heroic"})
    assert (ours.status_code, ours.json()["error"]["code"]) == (404, "model_not_found")


async def test_what_only_tunes_is_ignored(client: httpx.AsyncClient) -> None:
    await created(
        client, tools=[], tool_choice="auto", parallel_tool_calls=False, truncation="auto", service_tier="flex",
        include=["reasoning.encrypted_content"], top_logprobs=0, prompt_cache_key="k", max_tool_calls=3,
        text={"format": {"type": "text"}}, stream_options={"include_obfuscation": False}, conversation=None,
    )  # fmt: skip
