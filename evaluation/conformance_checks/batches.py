"""Every call of `client.batches`: a thousand lines with bad ones among them, ends of every kind, lists."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import openai
from harness import Bench, refuses, run, same, true, until
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

FINAL = ("completed", "failed", "expired", "cancelled")
RESPONSES, CHAT = "/v1/responses", "/v1/chat/completions"
LINES = 1000
BATCH_S = 240.0
NOBODYS = "batch_01jd0000000000000000000000"


def line(number: int, **changes: Any) -> dict[str, Any]:
    """A request that is answered by one sample; its metadata come back with its answer."""
    body = {"model": "deliberate-none", "input": f"What is {number} + 1?", "metadata": {"line": str(number)}}
    return {"custom_id": f"line-{number}", "method": "POST", "url": RESPONSES, "body": body} | changes


def packed(value: Any) -> bytes:
    return json.dumps(value).encode()


def without_id(number: int) -> bytes:
    return packed({name: value for name, value in line(number).items() if name != "custom_id"})


def asking(number: int, **members: Any) -> bytes:
    return packed(line(number, body=line(number)["body"] | members))


BAD: dict[int, tuple[bytes, str]] = {
    7: (b'{"custom_id": "line-7", ', "invalid_json_line"),
    93: (b"", "blank_line"),
    94: (b'["line-94"]', "invalid_json_line"),
    201: (without_id(201), "missing_custom_id"),
    202: (packed(line(202, custom_id="line-1")), "duplicate_custom_id"),
    203: (packed(line(203, custom_id=203)), "invalid_custom_id"),
    204: (packed(line(204, method="GET")), "invalid_method"),
    205: (packed(line(205, url=CHAT)), "mismatched_url"),
    206: (packed(line(206, body="What is 206 + 1?")), "invalid_body"),
    500: (asking(500, temperature=9), "invalid_value"),
    501: (asking(501, model="deliberate-x"), "model_not_found"),
    502: (asking(502, tools=[{"type": "web_search"}]), "unsupported_parameter"),
    777: (b'{"custom_id": "line-777", "body": "' + b"x" * 1_100_000 + b'"}', "line_too_long"),
    1000: (b"\xff\xfe", "invalid_json_line"),
}
"""By line number: what stands there and the code of its error."""


def begun(client: Any, data: bytes, endpoint: str = RESPONSES, **members: Any) -> Any:
    file = client.files.create(purpose="batch", file=("requests.jsonl", data))
    chosen = {"completion_window": "24h"} | members
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, **chosen)


def ended(client: Any, batch_id: str) -> Any:
    return until(lambda: client.batches.retrieve(batch_id), lambda one: one.status in FINAL, BATCH_S)


def read(client: Any, file_id: str | None) -> list[dict[str, Any]]:
    return [] if file_id is None else [json.loads(one) for one in client.files.content(file_id).text.splitlines()]


def good(number: int) -> bytes:
    return b"".join(packed(line(at)) + b"\n" for at in range(1, number + 1))


def number_of(answer: dict[str, Any]) -> int:
    """The line that an entry of the error file is about."""
    return int((answer["error"] or answer["response"])["line"])


def code_of(answer: dict[str, Any]) -> str:
    return str((answer["error"] or answer["response"]["body"]["error"])["code"])


def a_thousand_lines_with_bad_ones_among_them(bench: Bench) -> None:
    client = bench.client()
    data = b"\n".join(BAD[at][0] if at in BAD else packed(line(at)) for at in range(1, LINES + 1)) + b"\n"
    made = begun(client, data, metadata={"kind": "check"})
    same((made.status, made.metadata, made.endpoint), ("validating", {"kind": "check"}, RESPONSES))
    done = ended(client, made.id)
    same((done.status, done.completion_window), ("completed", "24h"))
    counts = done.request_counts
    same((counts.total, counts.completed, counts.failed), (LINES, LINES - len(BAD), len(BAD)))
    times = (done.created_at, done.in_progress_at, done.finalizing_at, done.completed_at)
    same(list(times), sorted(times))
    listed = {one.line: one.code for one in done.errors.data}
    same(listed, {at: code for at, (_, code) in BAD.items()})

    refused = read(client, done.error_file_id)
    same({number_of(one): code_of(one) for one in refused}, listed)
    same(len(refused), len(BAD))
    statuses = {number_of(one): one["response"]["status_code"] for one in refused if one["response"]}
    same(statuses, {500: 400, 501: 404, 502: 400})

    answers = read(client, done.output_file_id)
    wanted = {f"line-{at}": 1 for at in range(1, LINES + 1) if at not in BAD}
    same(Counter(one["custom_id"] for one in answers), Counter(wanted))
    for one in answers:
        same((one["error"], one["response"]["status_code"]), (None, 200))
        response = Response.model_validate(one["response"]["body"])
        same((response.status, response.metadata), ("completed", {"line": one["custom_id"].partition("-")[2]}))
        true("boxed" in response.output_text, one["custom_id"])
    tokens = sum(one["response"]["body"]["usage"]["output_tokens"] for one in answers)
    same(done.to_dict()["usage"]["output_tokens"], tokens)


def of_chat_completions(bench: Bench) -> None:
    client = bench.client()
    body = {"model": "deliberate-low", "messages": [{"role": "user", "content": "What is 3 + 4?"}], "n": 2}
    requests = [line(at, url=CHAT, body=body) for at in range(3)]
    done = ended(client, begun(client, b"\n".join(packed(one) for one in requests), CHAT).id)
    same((done.status, done.error_file_id), ("completed", None))
    for one in read(client, done.output_file_id):
        completion = ChatCompletion.model_validate(one["response"]["body"])
        same([choice.index for choice in completion.choices], [0, 1])
        true(all("boxed" in choice.message.content for choice in completion.choices), "solutions")


def cancelled_and_keeps_what_was_finished(bench: Bench) -> None:
    client = bench.client()
    made = begun(client, good(400))
    until(lambda: client.batches.retrieve(made.id), lambda one: one.request_counts.completed > 0, BATCH_S)
    stopping = client.batches.cancel(made.id)
    true(stopping.status in ("cancelling", "cancelled"), stopping.status)
    done = ended(client, made.id)
    same(done.status, "cancelled")
    true(done.cancelling_at <= done.cancelled_at, "times")
    finished_and_left(client, done, 400, "batch_cancelled")
    again = client.batches.cancel(made.id)
    same(again.to_dict(), done.to_dict())


def an_ended_one_is_not_cancelled(bench: Bench) -> None:
    client = bench.client()
    done = ended(client, begun(client, good(1)).id)
    same(client.batches.cancel(done.id).status, "completed")


def expired_and_keeps_what_was_finished(bench: Bench) -> None:
    """Its window is a minute, and most of that it is paused."""
    client = bench.client()
    made = begun(client, good(400), completion_window="1m")
    same(made.expires_at - made.created_at, 60)
    until(lambda: client.batches.retrieve(made.id), lambda one: one.request_counts.completed > 0, BATCH_S)
    client.post(f"/reasoning/batches/{made.id}/pause", cast_to=object)
    done = ended(client, made.id)
    same(done.status, "expired")
    true(done.expired_at >= done.expires_at, "not too early")
    finished_and_left(client, done, 400, "batch_expired")


def finished_and_left(client: Any, done: Any, total: int, code: str) -> None:
    """Each line has one answer; those that did not run have this error."""
    answers, left = read(client, done.output_file_id), read(client, done.error_file_id)
    true(answers and left, f"{len(answers)} finished, {len(left)} left")
    same({code_of(one) for one in left}, {code})
    same(Counter(one["custom_id"] for one in (*answers, *left)), Counter(f"line-{at}" for at in range(1, total + 1)))
    counts = done.request_counts
    same((counts.total, counts.completed, counts.failed), (total, len(answers), len(left)))


def no_line_is_right(bench: Bench) -> None:
    client = bench.client()
    done = ended(client, begun(client, b"{}\nnonsense\n").id)
    same((done.status, done.output_file_id), ("failed", None))
    true({1, 2} <= {one.line for one in done.errors.data}, "each line is told")
    true(done.failed_at >= done.created_at, "when")


def fails_for_one_bad_line_when_told_so(bench: Bench) -> None:
    client = bench.client()
    done = ended(client, begun(client, good(2) + b"{}\n", extra_body={"on_invalid_line": "fail"}).id)
    same((done.status, done.output_file_id, done.request_counts.completed), ("failed", None, 0))
    true(3 in {one.line for one in done.errors.data}, "the line is told")


def listed_in_pages(bench: Bench) -> None:
    client = bench.client()
    made = [begun(client, good(1)).id for _ in range(3)]
    page = client.batches.list(limit=2)
    same(([one.id for one in page.data], page.has_more), (made[:0:-1], True))
    same([one.id for one in client.batches.list(limit=1, after=made[2])][:2], made[1::-1])
    for batch_id in made:
        ended(client, batch_id)


def refusals_name_what_is_wrong(bench: Bench) -> None:
    client = bench.client()
    file = client.files.create(purpose="batch", file=("a.jsonl", good(1))).id
    right = {"input_file_id": file, "endpoint": RESPONSES, "completion_window": "24h"}
    for members, param in (
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"input_file_id": "nobody"}, "input_file_id"),
        ({"extra_body": {"colour": "red"}}, "colour"),
    ):
        error = refuses(lambda members=members: client.batches.create(**(right | members)), openai.APIStatusError)
        true(error.status_code in (400, 422), f"status {error.status_code}")
        same((error.param, error.type), (param, "invalid_request_error"))
    missing = right | {"input_file_id": "file_01jd0000000000000000000000"}
    refuses(lambda: client.batches.create(**missing), openai.NotFoundError)
    for call in (client.batches.retrieve, client.batches.cancel):
        refuses(lambda call=call: call(NOBODYS), openai.NotFoundError)


def asynchronously(bench: Bench) -> None:
    async def ask() -> None:
        async with bench.async_client() as client:
            file = await client.files.create(purpose="batch", file=("a.jsonl", good(2)))
            made = await client.batches.create(input_file_id=file.id, endpoint=RESPONSES, completion_window="24h")
            true(made.id in [one.id async for one in client.batches.list(limit=5)], "it is in the list")
            await asyncio.to_thread(ended, bench.client(), made.id)
            done = await client.batches.retrieve(made.id)
            same((await client.batches.cancel(made.id)).status, "completed")
            same(len((await client.files.content(done.output_file_id)).text.splitlines()), 2)

    asyncio.run(ask())


if __name__ == "__main__":
    run([
        a_thousand_lines_with_bad_ones_among_them, of_chat_completions, cancelled_and_keeps_what_was_finished,
        an_ended_one_is_not_cancelled, no_line_is_right, fails_for_one_bad_line_when_told_so, listed_in_pages,
        refusals_name_what_is_wrong, asynchronously, expired_and_keeps_what_was_finished,
    ])  # fmt: skip
