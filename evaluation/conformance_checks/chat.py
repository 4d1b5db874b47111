"""Every way to call `client.chat.completions`."""

from __future__ import annotations

import asyncio
import contextlib
import uuid

import openai
from harness import Bench, refuses, run, same, true, until

FINAL = ("completed", "incomplete", "failed", "cancelled")
QUESTION = {"role": "user", "content": "What is 3 + 4 * 2?"}
ASKED = {"model": "deliberate-low", "messages": [{"role": "system", "content": "Be brief."}, QUESTION]}
LONG = ASKED | {"extra_body": {"deliberate": {"strategy": {"name": "self_consistency", "n": 4096}}}}


def whole(bench: Bench) -> None:
    done = bench.client().chat.completions.create(**ASKED)
    (choice,) = done.choices
    same((choice.finish_reason, choice.message.role), ("stop", "assistant"))
    true("boxed" in choice.message.content, "a solution")
    same(done.usage.total_tokens, done.usage.prompt_tokens + done.usage.completion_tokens)
    true(done.usage.completion_tokens_details.reasoning_tokens > 0, "reasoning is told")


def several_choices(bench: Bench) -> None:
    done = bench.client().chat.completions.create(**ASKED, n=3)
    same([choice.index for choice in done.choices], [0, 1, 2])
    true(all(choice.message.content for choice in done.choices), "each has a text")


def streamed(bench: Bench) -> None:
    chunks = list(
        bench.client().chat.completions.create(**ASKED, stream=True, n=2, stream_options={"include_usage": True})
    )
    same(chunks[-1].choices, [])
    true(chunks[-1].usage.total_tokens > 0, "usage")
    for index in range(2):
        mine = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
        same((mine[0].delta.role, mine[-1].finish_reason), ("assistant", "stop"))
        true("boxed" in "".join(choice.delta.content or "" for choice in mine), "a solution")


def streamed_by_the_helper(bench: Bench) -> None:
    with bench.client().chat.completions.stream(**ASKED) as stream:
        stream.until_done()
        done = stream.get_final_completion()
    true("boxed" in done.choices[0].message.content, "a solution")


def a_budget_cuts_it_short(bench: Bench) -> None:
    done = bench.client().chat.completions.create(**LONG, max_completion_tokens=30)
    same(done.choices[0].finish_reason, "length")
    true(done.usage.completion_tokens <= 30, "within the budget")


def who_leaves_cancels(bench: Bench) -> None:
    client = bench.client()
    stream = client.chat.completions.create(**LONG, stream=True)
    job = next(iter(stream)).id.replace("chatcmpl_", "job_")
    stream.close()
    left = until(lambda: client.get(f"/reasoning/jobs/{job}", cast_to=object), lambda one: one["status"] in FINAL)
    same(left["status"], "cancelled")


def timeouts_and_their_retries_make_one_job(bench: Bench) -> None:
    client, kind = bench.client(), str(uuid.uuid4())
    hasty = bench.client(timeout=0.5)
    with contextlib.suppress(openai.APITimeoutError):
        hasty.chat.completions.create(**LONG, metadata={"kind": kind})

    listed = client.get("/reasoning/jobs", cast_to=object, options={"params": {"limit": 100}})
    mine = [job["id"] for job in listed["data"] if job["metadata"].get("kind") == kind]
    same(len(mine), 1)
    client.post(f"/reasoning/jobs/{mine[0]}/cancel", cast_to=object)


def refusals_name_what_is_wrong(bench: Bench) -> None:
    client = bench.client()
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}
    for members, param in (
        ({"messages": [image]}, "messages.0.content.0"),
        ({"response_format": {"type": "json_object"}}, "response_format.type"),
        ({"n": 99}, "n"),
    ):
        error = refuses(lambda m=members: client.chat.completions.create(**(ASKED | m)), openai.BadRequestError)
        same(error.param, param)


def asynchronously(bench: Bench) -> None:
    async def ask() -> None:
        async with bench.async_client() as client:
            both = await asyncio.gather(*(client.chat.completions.create(**ASKED, seed=at) for at in range(2)))
            true(all(done.choices[0].message.content for done in both), "both have a text")

    asyncio.run(ask())


if __name__ == "__main__":
    run([
        whole, several_choices, streamed, streamed_by_the_helper, a_budget_cuts_it_short, who_leaves_cancels,
        timeouts_and_their_retries_make_one_job, refusals_name_what_is_wrong, asynchronously,
    ])  # fmt: skip
