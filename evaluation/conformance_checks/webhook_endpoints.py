"""`client.webhooks` of 3.x: every call about endpoints."""

from __future__ import annotations

import asyncio

import openai
from harness import Bench, refuses, run, same, true
from receiving import TYPES, Receiver, unwrapped

NOBODYS = "whe_01jd0000000000000000000000"
OVERLAP = {"keep_old_secret_active_for_24_hours": True}


def made_read_changed_deleted(bench: Bench) -> None:
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


def listed_in_pages(bench: Bench) -> None:
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


def asynchronously(bench: Bench) -> None:
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
        made_read_changed_deleted, listed_in_pages, secrets_rotated_and_samples_sent,
        event_types_listed, refusals_name_what_is_wrong, asynchronously,
    ])  # fmt: skip
