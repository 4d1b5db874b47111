"""Every call of `client.files`: what a batch reads and writes."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
import uuid
from pathlib import Path
from typing import Any

import openai
from harness import Bench, refuses, run, same, true

LINE = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "deliberate", "input": "1 + 1"}}
NOBODYS = "file_01jd0000000000000000000000"


def lines(number: int = 3) -> bytes:
    return b"".join(json.dumps(LINE | {"custom_id": f"line-{at}"}).encode() + b"\n" for at in range(number))


def uploaded(client: Any, name: str = "requests.jsonl", data: bytes | None = None, **members: Any) -> Any:
    return client.files.create(purpose="batch", file=(name, data or lines()), **members)


def created_of_whatever_the_client_takes(bench: Bench) -> None:
    client = bench.client()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requests.jsonl")
        path.write_bytes(lines())
        with path.open("rb") as opened:
            for file in (path, opened, lines(), io.BytesIO(lines()), ("requests.jsonl", lines(), "application/jsonl")):
                made = client.files.create(purpose="batch", file=file)
                same((made.bytes, made.purpose, made.status), (len(lines()), "batch", "processed"))
                same(client.files.content(made.id).content, lines())


def retrieved(bench: Bench) -> None:
    client = bench.client()
    made = uploaded(client, "мои-запросы.jsonl")
    same(made.filename, "мои-запросы.jsonl")
    same(client.files.retrieve(made.id).to_dict(), made.to_dict())
    same(client.files.wait_for_processing(made.id, max_wait_seconds=5).id, made.id)
    refuses(lambda: client.files.retrieve(NOBODYS), openai.NotFoundError)


def expiring(bench: Bench) -> None:
    made = uploaded(bench.client(), expires_after={"anchor": "created_at", "seconds": 3600})
    same(made.expires_at, made.created_at + 3600)


def content_read_in_every_way(bench: Bench) -> None:
    client, data = bench.client(), lines(2000)
    made = uploaded(client, data=data)
    whole = client.files.content(made.id)
    same((whole.content, whole.text), (data, data.decode()))
    with client.files.with_streaming_response.content(made.id) as streamed:
        same(b"".join(streamed.iter_bytes(1000)), data)
    with client.files.with_streaming_response.content(made.id) as streamed:
        same([json.loads(line)["custom_id"] for line in streamed.iter_lines()][-1], "line-1999")
    rest = client.files.content(made.id, extra_headers={"Range": f"bytes={len(data) - 7}-"})
    same(rest.content, data[-7:])
    refuses(lambda: client.files.content(NOBODYS), openai.NotFoundError)


def listed_in_pages(bench: Bench) -> None:
    client = bench.client()
    made = [uploaded(client).id for _ in range(5)]
    page = client.files.list(limit=2)
    same(([one.id for one in page.data], page.has_more), (made[:2:-1], True))
    same([one.id for one in client.files.list(limit=2, after=made[3])][:3], made[2::-1])
    same(client.files.list(limit=100, purpose="batch").data[0].id, made[-1])
    same(list(client.files.list(purpose="vision")), [])
    oldest = [one.id for one in client.files.list(order="asc", after=made[0], limit=3)]
    same(oldest, made[1:])


def deleted(bench: Bench) -> None:
    client = bench.client()
    made = uploaded(client)
    gone = client.files.delete(made.id)
    same((gone.id, gone.deleted, gone.object), (made.id, True, "file"))
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        refuses(lambda call=call: call(made.id), openai.NotFoundError)


def one_upload_under_one_key(bench: Bench) -> None:
    client, key = bench.client(), {"Idempotency-Key": str(uuid.uuid4())}
    first, second = (uploaded(client, extra_headers=key) for _ in range(2))
    same(second.id, first.id)
    other = refuses(lambda: uploaded(client, data=lines(1), extra_headers=key), openai.UnprocessableEntityError)
    same(other.code, "idempotency_key_reused")


def refusals_name_what_is_wrong(bench: Bench) -> None:
    client = bench.client()
    for members, param in (
        ({"purpose": "fine-tune", "file": ("a", lines())}, "purpose"),
        ({"purpose": "batch", "file": ("a", b"")}, "file"),
        ({"purpose": "batch", "file": ("a", lines()), "extra_body": {"colour": "red"}}, "colour"),
    ):
        error = refuses(lambda m=members: client.files.create(**m), openai.APIStatusError)
        true(error.status_code in (400, 422), f"status {error.status_code}")
        same((error.param, error.type), (param, "invalid_request_error"))
        true(error.request_id, "a request id")
    refuses(lambda: uploaded(bench.client(api_key="nobody")), openai.AuthenticationError)


def asynchronously(bench: Bench) -> None:
    async def ask() -> None:
        async with bench.async_client() as client:
            made = await client.files.create(purpose="batch", file=("a.jsonl", lines()))
            same((await client.files.content(made.id)).content, lines())
            true(made.id in [one.id async for one in client.files.list(limit=2)], "it is in the list")
            true((await client.files.delete(made.id)).deleted, "deleted")

    asyncio.run(ask())


if __name__ == "__main__":
    run([
        created_of_whatever_the_client_takes, retrieved, expiring, content_read_in_every_way, listed_in_pages, deleted,
        one_upload_under_one_key, refusals_name_what_is_wrong, asynchronously,
    ])  # fmt: skip
