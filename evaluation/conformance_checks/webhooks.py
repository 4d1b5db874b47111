"""`client.webhooks`: the endpoints' calls (3.x), and `unwrap` of what the running service really delivers (all)."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import openai
from harness import Bench, refuses, run, same, true
from receiving import Delivery, Receiver

RESPONSE_TYPES = tuple(f"response.{end}" for end in ("completed", "incomplete", "failed", "cancelled"))
BATCH_TYPES = tuple(f"batch.{end}" for end in ("completed", "failed", "expired", "cancelled"))
TYPES = (*RESPONSE_TYPES, *BATCH_TYPES)
ASKED = {"model": "deliberate-low", "input": "What is 3 + 4 * 2?", "background": True}
LONG = ASKED | {"extra_body": {"deliberate": {"strategy": {"name": "self_consistency", "n": 4096}}}}
LINE = {
    "custom_id": "a",
    "method": "POST",
    "url": "/v1/responses",
    "body": {"model": "deliberate-none", "input": "1 + 1"},
}
NOBODYS = "whe_01jd0000000000000000000000"
OVERLAP = {"keep_old_secret_active_for_24_hours": True}


class Endpoint:
    """An endpoint for as long as a check takes. Clients before 3.x make it by a plain POST."""

    def __init__(self, bench: Bench, url: str, types: tuple[str, ...] = TYPES) -> None:
        self.client = bench.client()
        body = {"name": "check", "url": url, "event_types": list(types)}
        made: Any = self.client.post("/webhook_endpoints", body=body, cast_to=object)
        self.id, self.secret = made["id"], made["signing_secret"]

    def rotated(self, **body: Any) -> str:
        made: Any = self.client.post(f"/webhook_endpoints/{self.id}/rotate_secret", body=body, cast_to=object)
        return str(made["signing_secret"])

    def tested(self, event_type: str) -> dict[str, Any]:
        body = {"event_type": event_type}
        return dict(self.client.post(f"/webhook_endpoints/{self.id}/test", body=body, cast_to=object))

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.delete(f"/webhook_endpoints/{self.id}", cast_to=object)


def about(id: str) -> Callable[[Delivery], bool]:
    return lambda delivery: json.loads(delivery.body)["data"]["id"] == id


def unwrapped(client: Any, delivery: Delivery, secret: str) -> Any:
    """By the client's own code, from the bytes and headers as they came; the event has the type that it names."""
    client.webhooks.verify_signature(delivery.body, delivery.headers, secret=secret)
    event = client.webhooks.unwrap(delivery.body, delivery.headers, secret=secret)
    same((type(event).model_validate(event.to_dict()).type, event.object), (event.type, "event"))
    same(type(event).__name__.lower(), event.type.replace(".", "") + "webhookevent")
    return event


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


def endpoints_made_read_changed_deleted(bench: Bench) -> None:
    bench.needs("webhooks.create")
    webhooks = bench.client().webhooks
    with Receiver() as receiver:
        made = webhooks.create(name="hook", url=receiver.url, event_types=["response.completed", "batch.failed"])
        true(made.signing_secret.startswith("whsec_"), "a secret")
        same(made.signing_secret_hint[-4:], made.signing_secret[-4:])
        read = webhooks.retrieve(made.id)
        same((read.name, read.url, set(read.event_types)), ("hook", receiver.url, set(made.event_types)))
        true("signing_secret" not in read.to_dict(), "the secret is not shown again")
        changed = webhooks.update(made.id, name="other", event_types=["response.failed"])
        same((changed.name, changed.url, changed.event_types), ("other", receiver.url, ["response.failed"]))
        true(changed.updated_at >= made.updated_at, "when it was changed")
        gone = webhooks.delete(made.id)
        same((gone.id, gone.deleted), (made.id, True))
        for call in (webhooks.retrieve, webhooks.delete, webhooks.rotate_secret):
            refuses(lambda call=call: call(made.id), openai.NotFoundError)


def endpoints_listed_in_pages(bench: Bench) -> None:
    bench.needs("webhooks.list")
    webhooks = bench.client().webhooks
    with Receiver() as receiver:
        made = [webhooks.create(name=str(at), url=receiver.url, event_types=[TYPES[0]]).id for at in range(3)]
        page = webhooks.list(limit=2)
        same(([one.id for one in page.data], page.has_more), (made[:0:-1], True))
        same([one.id for one in webhooks.list(limit=1)][:3], made[::-1])
        same([one.id for one in webhooks.list(after=made[1])][:1], made[:1])
        for id in made:
            webhooks.delete(id)


def secrets_rotated_and_samples_sent(bench: Bench) -> None:
    bench.needs("webhooks.rotate_secret")
    client = bench.client()
    with Receiver() as receiver:
        made = client.webhooks.create(name="hook", url=receiver.url, event_types=["batch.completed"])
        rotated = client.webhooks.rotate_secret(made.id, **OVERLAP)
        true(rotated.signing_secret != made.signing_secret, "a new one")
        result = client.webhooks.test(made.id, event_type="batch.completed")
        same((result.status_code, result.success, result.webhook_endpoint_id), (200, True, made.id))
        for secret in (made.signing_secret, rotated.signing_secret):
            same(unwrapped(client, receiver.received[0], secret).type, "batch.completed")
        client.webhooks.delete(made.id)


def event_types_listed(bench: Bench) -> None:
    bench.needs("webhooks.event_types")
    true(set(TYPES) <= set(bench.client().webhooks.event_types.list().data), "OpenAI's types")


def refusals_name_what_is_wrong(bench: Bench) -> None:
    bench.needs("webhooks.create")
    webhooks = bench.client().webhooks
    right = {"name": "hook", "url": "https://example.com/hook", "event_types": [TYPES[0]]}
    for members, param in (
        ({"url": "https://10.0.0.1/hook"}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["video.completed"]}, "event_types"),
        ({"name": ""}, "name"),
    ):
        error = refuses(lambda members=members: webhooks.create(**(right | members)), openai.APIStatusError)
        true(error.status_code in (400, 422), f"status {error.status_code}")
        same((error.param, error.type), (param, "invalid_request_error"))
    refuses(lambda: webhooks.retrieve(NOBODYS), openai.NotFoundError)


def endpoints_asynchronously(bench: Bench) -> None:
    bench.needs("webhooks.create")

    async def ask() -> None:
        async with bench.async_client() as client:
            made = await client.webhooks.create(
                name="hook", url="https://example.com/hook", event_types=["response.completed"]
            )
            true(made.id in [one.id async for one in client.webhooks.list()], "it is in the list")
            same((await client.webhooks.update(made.id, name="other")).name, "other")
            true((await client.webhooks.delete(made.id)).deleted, "deleted")

    asyncio.run(ask())


if __name__ == "__main__":
    run([
        the_ends_of_responses_are_delivered, the_ends_of_batches_are_delivered, samples_of_every_type,
        unwrap_refuses_what_is_not_ours, a_failed_delivery_comes_again_under_its_id,
        rotation_with_and_without_overlap, asynchronously, endpoints_made_read_changed_deleted,
        endpoints_listed_in_pages, secrets_rotated_and_samples_sent, event_types_listed, refusals_name_what_is_wrong,
        endpoints_asynchronously,
    ])  # fmt: skip
