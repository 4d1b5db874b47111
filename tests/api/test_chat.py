"""Chat completions and models over HTTP on a real Postgres; a test plays the worker."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api import waiting
from api.app import create_app
from api.facade import following, schemas
from domain.effort import EFFORTS
from domain.errors import ConfigurationError
from domain.events import JobSubmitted
from domain.facade.models import policy_name
from domain.settings import Settings, from_environment, model_aliases
from domain.verdict import StopReason
from storage.database import Database
from storage.leases import PostgresJobStore
from tests.api.conftest import KEY, client_of
from tests.support.jobs import scalar
from tests.support.rollouts import OTHER, STEPS, searched

pytestmark = pytest.mark.integration

URL = "/v1/chat/completions"
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 6 · 7?"}]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_WITH_NEWS_S", 0.1)
    monkeypatch.setattr(following, "POLL_WITH_NEWS_S", 0.1)


async def completed(
    client: httpx.AsyncClient, database: Database, how: dict[str, Any] | None = None, **members: Any
) -> tuple[httpx.Response, JobSubmitted]:
    """The answer to a request whose search ends as `how` says, and what the worker was asked."""
    asking = asyncio.create_task(client.post(URL, json={"model": "deliberate", "messages": MESSAGES, **members}))
    async with asyncio.timeout(5):
        while (job := await scalar(database, "SELECT id FROM jobs WHERE status = 'queued'")) is None:
            await asyncio.sleep(0.02)
    store = PostgresJobStore(database)
    (claim,) = await store.claim("worker", 1, 30)
    await store.commit([searched(str(job), **(how or {}))])
    first = claim.events[0]
    assert isinstance(first, JobSubmitted)
    return await asking, first


def chunks(text: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


async def test_a_completion_waits_for_its_job(client: httpx.AsyncClient, database: Database) -> None:
    response, first = await completed(client, database, reasoning_effort="low", max_tokens=700, seed=-1)
    shape = schemas.ChatCompletion.model_validate_json(response.content)
    (choice,) = shape.choices
    assert (choice.message.content, choice.finish_reason) == (STEPS, "stop")
    assert (shape.usage.prompt_tokens, shape.usage.completion_tokens, shape.usage.total_tokens) == (30, 60, 90)
    assert shape.usage.completion_tokens_details["reasoning_tokens"] == 40
    assert (shape.deliberate.answer, shape.deliberate.confidence) == ("42", 0.75)
    assert first.problem.text == "Be brief.\n\nWhat is 6 · 7?"
    assert (first.strategy.n, first.budget.tokens, first.seed) == (16, 700, 2**63 - 1)  # type: ignore[union-attr]


async def test_choices_are_solutions_of_one_search(client: httpx.AsyncClient, database: Database) -> None:
    response, first = await completed(client, database, n=3, reasoning_effort="none", verbosity="low")
    body = response.json()
    assert [choice["message"]["content"] for choice in body["choices"]] == ["42", "48", "42"]
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert (first.strategy.probe, first.strategy.n) == (3, 3)  # type: ignore[union-attr]
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0
    assert await scalar(database, "SELECT count(*) FROM jobs") == 1


async def test_a_streamed_completion(client: httpx.AsyncClient, database: Database) -> None:
    response, _ = await completed(client, database, stream=True, n=2, stream_options={"include_usage": True})
    parts = chunks(response.text)
    assert {(part["object"], part["id"]) for part in parts} == {("chat.completion.chunk", parts[0]["id"])}
    *body, usage = parts
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 90)
    texts, ends = {0: "", 1: ""}, {}
    for part in body:
        (choice,) = part["choices"]
        texts[choice["index"]] += choice["delta"].get("content", "")
        if choice["finish_reason"]:
            ends[choice["index"]] = choice["finish_reason"]
    assert (texts, ends) == ({0: STEPS, 1: OTHER}, {0: "stop", 1: "stop"})


async def test_what_was_cut_short_ends_by_length(client: httpx.AsyncClient, database: Database) -> None:
    cut = {"solutions": [], "reason": StopReason.BUDGET_TOKENS}
    response, _ = await completed(client, database, cut)
    (choice,) = response.json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")


async def test_a_failed_completion_is_an_error_that_is_not_repeated(
    client: httpx.AsyncClient, database: Database
) -> None:
    failed = {"solutions": [], "reason": StopReason.ENGINE_FAILED}
    whole, _ = await completed(client, database, failed)
    assert (whole.status_code, whole.headers["x-should-retry"]) == (500, "false")
    assert whole.json()["error"]["message"] == "every call failed"
    streamed, _ = await completed(client, database, failed, stream=True)
    assert json.loads(streamed.text.rsplit("data: ", 1)[1])["error"]["message"] == "every call failed"


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": " "}]}, "messages"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages.0.tool_calls"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]},
        "messages.0.content.0",
    ),
    ({"n": 17}, "n"),
    ({"n": 0}, "n"),
    ({"response_format": {"type": "json_object"}}, "response_format.type"),
    ({"functions": [{}]}, "functions"),
    ({"stop": "\n"}, "stop"),
    ({"logprobs": True}, "logprobs"),
    ({"presence_penalty": 1}, "presence_penalty"),
    ({"modalities": ["audio"]}, "modalities"),
    ({"reasoning_effort": 1}, "reasoning_effort"),
    ({"stream": "yes"}, "stream"),
    ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
    ({"input": "x"}, "input"),
]


async def test_what_would_change_the_meaning_is_refused_with_its_name(client: httpx.AsyncClient) -> None:
    for body, param in REFUSALS:
        response = await client.post(URL, json={"messages": MESSAGES} | body)
        assert (response.status_code, response.json()["error"]["param"]) == (400, param), body


async def test_what_only_tunes_is_ignored(client: httpx.AsyncClient, database: Database) -> None:
    response, _ = await completed(
        client, database, presence_penalty=0, frequency_penalty=0, logit_bias={}, stop=None, tools=[], logprobs=False,
        response_format={"type": "text"}, modalities=["text"], user="u", service_tier="auto", prediction=None,
    )  # fmt: skip
    assert response.status_code == 200


async def test_an_idempotency_key_gives_the_same_completion_and_none_of_another_endpoint(
    client: httpx.AsyncClient, database: Database
) -> None:
    client.headers["Idempotency-Key"] = "one"
    first, _ = await completed(client, database)
    again = await client.post(URL, json={"model": "deliberate", "messages": MESSAGES})
    assert again.json() == first.json()


class TestModels:
    async def test_the_policy_and_its_efforts_are_listed(self, client: httpx.AsyncClient) -> None:
        listed = schemas.ModelList.model_validate_json((await client.get("/v1/models")).content)
        names = [model.id for model in listed.data]
        assert names[:8] == ["deliberate", *(f"deliberate-{effort}" for effort in EFFORTS)]
        for name in names:
            assert (await client.get(f"/v1/models/{name}")).json()["id"] == name
        missing = await client.get("/v1/models/gpt-5")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")

    async def test_an_operator_names_models_and_may_refuse_foreign_names(self, settings: Settings) -> None:
        strict = create_app(replace(settings, model_aliases="gpt-5=deliberate-high", policy="Org/Model"))
        async with strict.router.lifespan_context(strict), client_of(strict, KEY) as client:
            body = {"input": "1 + 1", "background": True, "model": "gpt-5"}
            named = (await client.post("/v1/responses", json=body)).json()
            assert (named["model"], named["reasoning"]["effort"]) == ("deliberate-high", None)
            assert (await client.get("/v1/models/Org/Model")).json()["id"] == "Org/Model"
            foreign = await client.post("/v1/responses", json=body | {"model": "o3"})
            assert (foreign.status_code, foreign.json()["error"]["param"]) == (404, "model")

    def test_a_policy_is_named_without_its_place(self) -> None:
        names = [policy_name(one) for one in ("/data/models/small/", "Org/Model", "scripted:accuracy=0.5", "./x")]
        assert names == ["small", "Org/Model", "scripted", "x"]

    def test_aliases_are_a_setting(self) -> None:
        text = "gpt-5=deliberate-high, *=deliberate"
        assert model_aliases(from_environment({"DELIBERATE_MODEL_ALIASES": text}).model_aliases) == {
            "gpt-5": "deliberate-high",
            "*": "deliberate",
        }
        assert model_aliases("none") == {}
        with pytest.raises(ConfigurationError, match="DELIBERATE_MODEL_ALIASES"):
            from_environment({"DELIBERATE_MODEL_ALIASES": "gpt-5=o3"})
