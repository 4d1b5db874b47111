"""`client.webhooks.unwrap` and `verify_signature` of what the running service really delivers, by every major."""

from __future__ import annotations

import asyncio
import base64
import json
import time

import openai
from harness import Bench, refuses, run, same, true
from receiving import BATCH_TYPES, TYPES, Endpoint, Receiver, about, unwrapped

ASKED = {"model": "deliberate-low", "input": "What is 3 + 4 * 2?", "background": True}
LONG = ASKED | {"extra_body": {"deliberate": {"strategy": {"name": "self_consistency", "n": 4096}}}}
QUICK = {"model": "deliberate-none", "input": "1 + 1"}
LINE = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": QUICK}
OVERLAP = {"keep_old_secret_active_for_24_hours": True}


def the_ends_of_responses_are_delivered(bench: Bench) -> None:
    client = bench.client()
    with Receiver() as receiver, Endpoint(bench, receiver.url) as endpoint:
        whole = client.responses.create(**ASKED)
        short = client.responses.create(**LONG, max_output_tokens=60)
        gone = client.responses.create(**LONG)
        client.responses.cancel(gone.id)
        for response, end in ((whole, "completed"), (short, "incomplete"), (gone, "cancelled")):
            (delivery,) = receiver.wait_for(about(response.id))
            event = unwrapped(client, delivery, endpoint.secret)
            same((event.type, event.data.id), (f"response.{end}", response.id))
            true(event.id.startswith("evt_") and abs(event.created_at - time.time()) < 300, "an id and a time")
            same(client.responses.retrieve(event.data.id).status, end)
        same(len({delivery.headers["webhook-id"] for delivery in receiver.received}), 3)


def the_ends_of_batches_are_delivered(bench: Bench) -> None:
    client = bench.client()
    with Receiver() as receiver, Endpoint(bench, receiver.url, BATCH_TYPES) as endpoint:
        for data, end in ((json.dumps(LINE).encode(), "completed"), (b"nonsense", "failed"), (many(), "cancelled")):
            file = client.files.create(purpose="batch", file=("a.jsonl", data))
            batch = client.batches.create(
                input_file_id=file.id, endpoint="/v1/responses", completion_window="24h", metadata={"end": end}
            )
            if end == "cancelled":
                client.batches.cancel(batch.id)
            (delivery,) = receiver.wait_for(about(batch.id))
            event = unwrapped(client, delivery, endpoint.secret)
            same((event.type, event.data.id), (f"batch.{end}", batch.id))
        same(len(receiver.received), 3)


def many() -> bytes:
    return b"\n".join(json.dumps(LINE | {"custom_id": str(at)}).encode() for at in range(300))


def samples_of_every_type(bench: Bench) -> None:
    client = bench.client()
    with Receiver() as receiver, Endpoint(bench, receiver.url) as endpoint:
        for kind in TYPES:
            answer = endpoint.tested(kind)
            same((answer["status_code"], answer["success"], answer["event_type"]), (200, True, kind))
            same(unwrapped(client, receiver.received[-1], endpoint.secret).type, kind)
        receiver.next = [503]
        same(endpoint.tested(TYPES[0])["status_code"], 503)


def unwrap_refuses_what_is_not_ours(bench: Bench) -> None:
    client = bench.client()
    with Receiver() as receiver, Endpoint(bench, receiver.url) as endpoint:
        endpoint.tested(TYPES[0])
        (delivery,) = receiver.received
        late = delivery.headers | {"webhook-timestamp": str(int(time.time()) - 301)}
        moved = delivery.headers | {"webhook-id": "whd_01jd0000000000000000000000"}
        for body, headers, secret in (
            (delivery.body.replace(b"completed", b"cancelled"), delivery.headers, endpoint.secret),
            (delivery.body, delivery.headers, "whsec_" + base64.b64encode(b"x" * 32).decode()),
            (delivery.body, late, endpoint.secret),
            (delivery.body, moved, endpoint.secret),
        ):
            refuses(
                lambda given=(body, headers, secret): client.webhooks.unwrap(*given[:2], secret=given[2]),
                (openai.InvalidWebhookSignatureError, ValueError),
            )
        of_client = bench.client(webhook_secret=endpoint.secret)
        same(of_client.webhooks.unwrap(delivery.body.decode(), delivery.headers).type, TYPES[0])


def a_failed_delivery_comes_again_under_its_id(bench: Bench) -> None:
    client = bench.client()
    with Receiver(next=[500]) as receiver, Endpoint(bench, receiver.url) as endpoint:
        made = client.responses.create(**ASKED)
        first, second = receiver.wait_for(about(made.id), 2)
        same((first.body, first.headers["webhook-id"]), (second.body, second.headers["webhook-id"]))
        true(int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"]), "a new time")
        for delivery in (first, second):
            same(unwrapped(client, delivery, endpoint.secret).data.id, made.id)


def rotation_with_and_without_overlap(bench: Bench) -> None:
    client = bench.client()
    with Receiver() as receiver, Endpoint(bench, receiver.url) as endpoint:
        newer = endpoint.rotated(**OVERLAP)
        made = client.responses.create(**ASKED)
        (both,) = receiver.wait_for(about(made.id))
        for secret in (endpoint.secret, newer):
            same(unwrapped(client, both, secret).data.id, made.id)
        newest = endpoint.rotated()
        endpoint.tested(TYPES[0])
        same(unwrapped(client, receiver.received[-1], newest).type, TYPES[0])
        for secret in (endpoint.secret, newer):
            refuses(
                lambda secret=secret: unwrapped(client, receiver.received[-1], secret),
                openai.InvalidWebhookSignatureError,
            )


def asynchronously(bench: Bench) -> None:
    with Receiver() as receiver, Endpoint(bench, receiver.url) as endpoint:

        async def ask() -> None:
            async with bench.async_client() as client:
                made = await client.responses.create(**ASKED)
                (delivery,) = await asyncio.to_thread(receiver.wait_for, about(made.id))
                same(unwrapped(client, delivery, endpoint.secret).data.id, made.id)

        asyncio.run(ask())


if __name__ == "__main__":
    run([
        the_ends_of_responses_are_delivered, the_ends_of_batches_are_delivered, samples_of_every_type,
        unwrap_refuses_what_is_not_ours,
        a_failed_delivery_comes_again_under_its_id, rotation_with_and_without_overlap, asynchronously,
    ])  # fmt: skip
