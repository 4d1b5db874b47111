"""Responses over HTTP on a real Postgres, from their creation to their end; a test plays the worker."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from api.facade import schemas
from domain.verdict import StopReason
from search.rollouts import distinct, finished_rollouts, tokens_of
from storage.database import Database
from tests.support.jobs import scalar
from tests.support.responses import QUESTION, URL, asked, created, finished, got
from tests.support.rollouts import OTHER, STEPS, searched

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick")]


async def test_a_response_in_the_background_from_its_creation_to_its_end(
    client: httpx.AsyncClient, database: Database
) -> None:
    made = await created(client, model="gpt-5", reasoning={"summary": "auto"}, metadata={"kind": "test"}, user="u-1")
    assert (made["status"], made["background"], made["output"], made["usage"]) == ("queued", True, [], None)
    assert (made["model"], made["reasoning"]) == ("deliberate", {"effort": "medium", "summary": "auto"})
    assert made["id"].partition("_")[2] == made["deliberate"]["job_id"].partition("_")[2]
    assert await scalar(database, "SELECT announces FROM jobs") == "response"
    await finished(database, made)
    done = await got(client, made["id"])
    assert (done["status"], done["metadata"], done["user"]) == ("completed", {"kind": "test"}, "u-1")
    reasoning, message = done["output"]
    assert [part["text"] for part in reasoning["summary"]] == ["6 · 7 is 42.", "The answer is \\boxed{42}."]
    assert message["content"][0]["text"] == STEPS
    own = done["deliberate"]
    assert (own["answer"], own["confidence"], own["stop_reason"]) == ("42", 0.75, "complete")
    assert done["usage"] == {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 60,
        "output_tokens_details": {"reasoning_tokens": 40},
        "total_tokens": 90,
    }
    assert await got(client, made["id"]) == done


async def test_parameters_become_a_search(client: httpx.AsyncClient, database: Database) -> None:
    made = await created(
        client,
        model="deliberate-low",
        instructions="Be brief.",
        max_output_tokens=500,
        temperature=0.6,
        deliberate={"confidence": 0.9, "budget": {"rollouts": 5, "tokens": 9000}, "seed": 11},
    )
    assert (made["max_output_tokens"], made["temperature"], made["instructions"]) == (500, 0.6, "Be brief.")
    first = await asked(database)
    assert first.problem.text == f"Be brief.\n\n{QUESTION}"
    assert (first.strategy.name, first.strategy.n, first.strategy.temperature) == ("adaptive", 16, 0.6)  # type: ignore[union-attr]
    assert (first.budget.tokens, first.budget.rollouts, first.confidence, first.seed) == (500, 5, 0.9, 11)


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
async def test_every_effort_is_taken(client: httpx.AsyncClient, effort: str) -> None:
    made = await created(client, reasoning={"effort": effort}, model="deliberate-low")
    assert made["reasoning"]["effort"] == effort
    named = await created(client, model=f"deliberate-{effort}")
    assert (named["model"], named["reasoning"]["effort"]) == (f"deliberate-{effort}", None)


async def test_temperature_0_repeats_the_search_and_never_votes_over_equal_samples(
    client: httpx.AsyncClient, database: Database
) -> None:
    first, second, third = [await created(client, temperature=0, input=text) for text in ("1 + 1", "1 + 1", "1 + 2")]
    assert first["deliberate"]["seed"] == second["deliberate"]["seed"] != third["deliberate"]["seed"]
    assert first["deliberate"]["strategy"]["temperature"] == 0.8
    greedy = await created(client, temperature=0, reasoning={"effort": "none"})
    assert greedy["deliberate"]["strategy"]["temperature"] == 0


async def test_a_conversation_goes_on(client: httpx.AsyncClient, database: Database) -> None:
    first = await created(client, instructions="Only once.")
    early = await client.post(URL, json={"input": "x", "previous_response_id": first["id"]})
    assert (early.status_code, early.json()["error"]["param"]) == (400, "previous_response_id")
    await finished(database, first)
    second = await created(client, input="And twice that?", previous_response_id=first["id"])
    assert second["previous_response_id"] == first["id"]
    assert (await asked(database)).problem.text == "\n\n".join(
        [f"User:\n{QUESTION}", f"Assistant:\n{STEPS}", "User:\nAnd twice that?"]
    )
    listed = await client.get(f"{URL}/{second['id']}/input_items", params={"order": "asc"})
    items = schemas.ItemList.model_validate_json(listed.content)
    assert [item.role for item in items.data] == ["user", "assistant", "user"]
    assert items.data[1].id == (await got(client, first["id"]))["output"][0]["id"]


async def test_input_items_come_in_pages(client: httpx.AsyncClient) -> None:
    turns = [{"role": role, "content": f"{role} {at}"} for at in range(3) for role in ("user", "assistant")]
    made = await created(client, input=[*turns, {"type": "reasoning", "id": "rs_1", "summary": []}])
    seen: list[str] = []
    after, url = None, f"{URL}/{made['id']}/input_items"
    while True:
        response = await client.get(url, params={"limit": 4} | ({"after": after} if after else {}))
        page = schemas.ItemList.model_validate_json(response.content)
        seen += [item.content[0].text for item in page.data]
        after = page.last_id
        if not page.has_more:
            break
    assert seen == [turn["content"] for turn in reversed(turns)]
    wrong = await client.get(url, params={"after": "msg_nobody"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (404, "after")


async def test_waiting_for_a_response_gives_it_at_its_end(client: httpx.AsyncClient, database: Database) -> None:
    asking = asyncio.create_task(client.post(URL, json={"input": QUESTION, "text": {"verbosity": "low"}}))
    job = await _only_job(database)
    await finished(database, {"deliberate": {"job_id": job}}, reason=StopReason.BUDGET_TOKENS)
    response = (await asking).json()
    assert (response["status"], response["background"]) == ("incomplete", False)
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][0]["content"][0]["text"] == "42"
    assert response["deliberate"]["stop_reason"] == "budget_tokens"
    assert await scalar(database, "SELECT announces FROM jobs") == "nothing"


async def test_what_ends_without_an_answer_shows_what_was_written(
    client: httpx.AsyncClient, database: Database
) -> None:
    made = await created(client, input="Write a line.")
    await finished(database, made, solutions=[(None, "Roses are red.")], reason=StopReason.NO_ANSWER)
    done = await got(client, made["id"])
    assert (done["status"], done["deliberate"]["answer"]) == ("incomplete", None)
    assert done["output"][0]["content"][0]["text"] == "Roses are red."


async def test_a_failed_response_has_a_code_of_the_closed_list(client: httpx.AsyncClient, database: Database) -> None:
    made = await created(client)
    await finished(database, made, solutions=[], reason=StopReason.ENGINE_FAILED)
    done = await got(client, made["id"])
    assert (done["status"], done["output"]) == ("failed", [])
    assert done["error"] == {"code": "server_error", "message": "every call failed"}
    assert done["deliberate"]["error_code"] == "engine_failed"


async def test_the_same_key_gives_the_same_response(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    body = {"input": QUESTION, "background": True}
    first, again = [(await client.post(URL, json=body, headers=headers)).json() for _ in range(2)]
    assert first["id"] == again["id"]
    elsewhere = await client.post("/v1/reasoning/jobs", json={"problem": QUESTION}, headers=headers)
    assert elsewhere.status_code == 422


async def test_a_retry_of_the_sdk_gives_the_same_response(client: httpx.AsyncClient, database: Database) -> None:
    body = {"input": QUESTION, "background": True}
    answers = [await client.post(URL, json=body, headers={"x-stainless-retry-count": str(at)}) for at in range(3)]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true", "true"]
    assert await scalar(database, "SELECT count(*) FROM jobs") == 1


async def test_a_shown_solution_counts_as_output_and_the_others_as_reasoning() -> None:
    rollouts = finished_rollouts(searched("job_x").events)
    assert [one.text for one in distinct(OTHER, rollouts, 3)] == [OTHER, STEPS, STEPS]
    assert [tokens_of(text, rollouts) for text in (STEPS, f"Begin.\n\n{OTHER}", "?", None)] == [20, 20, 0, 0]


async def _only_job(database: Database) -> str:
    async with asyncio.timeout(5):
        while (job := await scalar(database, "SELECT id FROM jobs")) is None:
            await asyncio.sleep(0.02)
    return str(job)
