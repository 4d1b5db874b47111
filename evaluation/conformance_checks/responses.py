"""Every call of `client.responses`, as its users make it."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
from harness import Bench, refuses, run, same, true, until

ASKED = {"model": "deliberate-low", "input": "What is 3 + 4 * 2?"}
LONG = ASKED | {"extra_body": {"deliberate": {"strategy": {"name": "self_consistency", "n": 4096}}}}
"""A search of many seconds."""
FINAL = ("completed", "incomplete", "failed", "cancelled")


def ended(client: Any, response_id: str) -> Any:
    return until(lambda: client.responses.retrieve(response_id), lambda one: one.status in FINAL)


def in_the_background_and_polled(bench: Bench) -> None:
    client = bench.client()
    made = client.responses.create(**ASKED, background=True, metadata={"kind": "check"})
    true(made.status in ("queued", "in_progress"), f"created as {made.status}")
    same(made.background, True)
    done = ended(client, made.id)
    same((done.status, done.metadata, done.id), ("completed", {"kind": "check"}, made.id))
    true("boxed" in done.output_text, "the text is a solution")
    true(done.model_extra["deliberate"]["answer"], "an answer")
    true(0 < done.model_extra["deliberate"]["confidence"] <= 1, "a confidence")


def waited_for(bench: Bench) -> None:
    done = bench.client().responses.create(**ASKED)
    same((done.status, done.error, done.incomplete_details), ("completed", None, None))
    true(done.output_text, "text")


def usage_adds_up(bench: Bench) -> None:
    usage = bench.client().responses.create(**ASKED).usage
    same(usage.total_tokens, usage.input_tokens + usage.output_tokens)
    true(0 < usage.output_tokens_details.reasoning_tokens < usage.output_tokens, "reasoning is a part of the output")
    true(0 <= usage.input_tokens_details.cached_tokens <= usage.input_tokens, "what is cached is a part of the input")


def streamed(bench: Bench) -> None:
    events = list(bench.client().responses.create(**ASKED, stream=True))
    same([event.sequence_number for event in events], list(range(len(events))))
    same(
        [event.type for event in events[:3]],
        [f"response.{kind}" for kind in ("created", "in_progress", "output_item.added")],
    )
    same(events[-1].type, "response.completed")
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    same(text, events[-1].response.output_text)


def streamed_by_the_helper(bench: Bench) -> None:
    with bench.client().responses.stream(**ASKED) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    true("response.output_text.delta" in kinds, "deltas")
    same(final.status, "completed")


def a_stream_is_taken_up_again(bench: Bench) -> None:
    client = bench.client()
    stream = client.responses.create(**ASKED, stream=True, background=True)
    first = next(iter(stream))
    stream.close()
    same((first.type, first.sequence_number), ("response.created", 0))
    rest = list(client.responses.retrieve(first.response.id, stream=True, starting_after=0))
    whole = list(client.responses.retrieve(first.response.id, stream=True))
    same([event.to_dict() for event in whole], [event.to_dict() for event in (first, *rest)])
    late = list(client.responses.retrieve(first.response.id, stream=True, starting_after=len(whole) - 2))
    same([event.type for event in late], ["response.completed"])
    named = client.responses.retrieve(first.response.id, stream=True, extra_headers={"Last-Event-ID": "0"})
    same([event.to_dict() for event in named], [event.to_dict() for event in rest])
    with client.responses.stream(response_id=first.response.id, starting_after=1) as helped:
        same([event.sequence_number for event in helped], list(range(2, len(whole))))


def summarised(bench: Bench) -> None:
    done = bench.client().responses.create(**ASKED, reasoning={"effort": "low", "summary": "auto"})
    same([item.type for item in done.output], ["reasoning", "message"])
    true(done.output[0].summary, "steps")
    same("\n\n".join(part.text for part in done.output[0].summary), done.output_text)


def every_effort(bench: Bench) -> None:
    efforts = ["minimal", "low", "medium", "high"] + (["none", "xhigh", "max"] if bench.major > 1 else [])
    for effort in efforts:
        done = bench.client().responses.create(**ASKED, reasoning={"effort": effort}, max_output_tokens=400)
        same(done.reasoning.effort, effort)
        true(done.status in ("completed", "incomplete"), done.status)


def every_model(bench: Bench) -> None:
    client = bench.client()
    for model in client.models.list():
        done = client.responses.create(**(ASKED | {"model": model.id}), max_output_tokens=400)
        same(done.model, model.id)
        true(done.status in ("completed", "incomplete"), done.status)


def the_budget_ends_it(bench: Bench) -> None:
    done = bench.client().responses.create(**LONG, max_output_tokens=60)
    same((done.status, done.incomplete_details.reason), ("incomplete", "max_output_tokens"))
    true(done.usage.output_tokens <= 60, "within the budget")


def cancelled(bench: Bench) -> None:
    client = bench.client()
    made = client.responses.create(**LONG, background=True)
    for _ in range(2):
        same(client.responses.cancel(made.id).status, "cancelled")
    done = client.responses.create(**ASKED)
    same(client.responses.cancel(done.id).status, "completed")
    last = list(client.responses.retrieve(made.id, stream=True))[-1]
    same(last.response.status, "cancelled")


def deleted(bench: Bench) -> None:
    client = bench.client()
    made = client.responses.create(**ASKED)
    client.responses.delete(made.id)
    refuses(lambda: client.responses.retrieve(made.id), openai.NotFoundError)
    refuses(lambda: client.responses.delete(made.id), openai.NotFoundError)


def input_items_in_pages(bench: Bench) -> None:
    client = bench.client()
    turns = [{"role": role, "content": f"{role} {at}"} for at in range(4) for role in ("user", "assistant")]
    asked = ASKED | {"input": [*turns, {"role": "user", "content": "What is 1 + 2?"}]}
    made = client.responses.create(**asked)
    items = list(client.responses.input_items.list(made.id, limit=2, order="asc"))
    same([item.content[0].text for item in items], [turn["content"] for turn in asked["input"]])
    newest = client.responses.input_items.list(made.id, limit=1)
    same(([item.role for item in newest.data], newest.has_more), (["user"], True))


def a_conversation_goes_on(bench: Bench) -> None:
    client = bench.client()
    first = client.responses.create(**ASKED)
    second = client.responses.create(**(ASKED | {"input": "And 1 more?"}), previous_response_id=first.id)
    same(second.previous_response_id, first.id)
    items = list(client.responses.input_items.list(second.id, order="asc"))
    same([item.role for item in items], ["user", "assistant", "user"])
    by_hand = [{"role": "user", "content": ASKED["input"]}, *first.output, {"role": "user", "content": "And 1 more?"}]
    same(client.responses.create(**(ASKED | {"input": by_hand})).status, "completed")


def not_stored(bench: Bench) -> None:
    client = bench.client()
    done = client.responses.create(**ASKED, store=False)
    refuses(lambda: client.responses.retrieve(done.id), openai.NotFoundError)


def refusals_name_what_is_wrong(bench: Bench) -> None:
    client = bench.client()
    image = [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA"}]}]
    for members, param in (
        ({"input": image}, "input.0.content.0"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"temperature": 9}, "temperature"),
        ({"previous_response_id": "resp_nobody"}, "previous_response_id"),
    ):
        error = refuses(lambda members=members: client.responses.create(**(ASKED | members)), openai.BadRequestError)
        same((error.param, error.type), (param, "invalid_request_error"))
        true(error.request_id, "a request id")
    unknown = refuses(lambda: client.responses.create(**(ASKED | {"model": "deliberate-x"})), openai.NotFoundError)
    same((unknown.code, unknown.param), ("model_not_found", "model"))
    stranger = bench.client(api_key="nobody")
    refuses(lambda: stranger.responses.create(**ASKED), openai.AuthenticationError)


def asynchronously(bench: Bench) -> None:
    async def ask() -> None:
        async with bench.async_client() as client:
            made = await client.responses.create(**ASKED, background=True)
            events = [event async for event in await client.responses.retrieve(made.id, stream=True)]
            same((events[0].type, events[-1].type), ("response.created", "response.completed"))
            same(events[-1].response.to_dict(), (await client.responses.retrieve(made.id)).to_dict())

    asyncio.run(ask())


if __name__ == "__main__":
    run([
        in_the_background_and_polled, waited_for, usage_adds_up, streamed, streamed_by_the_helper,
        a_stream_is_taken_up_again, summarised, every_effort, every_model, the_budget_ends_it, cancelled, deleted,
        input_items_in_pages, a_conversation_goes_on, not_stored, refusals_name_what_is_wrong, asynchronously,
    ])  # fmt: skip
