"""The client's own retries: it repeats a POST of which the answer was lost after COMMIT, twice, and without a key."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from harness import Bench, run, same, true, until
from losing import Loser

HASTE_S = 1.5
LOSSES = 2
"""As often as the client retries."""
FINAL = ("completed", "incomplete", "failed", "cancelled")
ASKED = {"model": "deliberate-low", "input": "What is 3 + 4 * 2?", "background": True}
LINE = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "deliberate", "input": "1 + 1"}}


def tenant(bench: Bench) -> str:
    """The key of a tenant that nobody else uses, so that what it was charged for can be counted."""
    client, name = bench.client(), f"retries-{uuid.uuid4().hex[:12]}"
    client.post("/admin/tenants", body={"name": name}, cast_to=object)
    made: Any = client.post("/admin/keys", body={"label": "check", "tenant": name}, cast_to=object)
    return str(made["token"])


def through_losses(bench: Bench, key: str, call: Callable[[Any], Any]) -> Any:
    """What the client is told in the end; all that was answered before was lost."""
    with Loser(bench.url, LOSSES) as loser:
        found = call(bench.client(base_url=f"{loser.url}/v1", api_key=key, timeout=HASTE_S, max_retries=LOSSES))
        same(len(loser.lost), LOSSES)
        true(all(status < 300 for status in loser.lost), f"answered: {loser.lost}")
    return found


def one_response_and_one_charge(bench: Bench) -> None:
    key = tenant(bench)
    client = bench.client(api_key=key)
    made = through_losses(bench, key, lambda hasty: hasty.responses.create(**ASKED))
    done = until(lambda: client.responses.retrieve(made.id), lambda one: one.status in FINAL)
    same(done.status, "completed")
    jobs = client.get("/reasoning/jobs", cast_to=object)["data"]
    same([job["id"].partition("_")[2] for job in jobs], [made.id.partition("_")[2]])
    days = client.get("/usage", cast_to=object)["data"]
    same(sum(day["generated_tokens"] + day["verified_tokens"] for day in days), done.usage.output_tokens)


def one_chat_completion(bench: Bench) -> None:
    key = tenant(bench)
    messages = [{"role": "user", "content": "What is 3 + 4 * 2?"}]
    done = through_losses(
        bench, key, lambda hasty: hasty.chat.completions.create(model="deliberate-none", messages=messages)
    )
    true("boxed" in done.choices[0].message.content, "a solution")
    same(len(bench.client(api_key=key).get("/reasoning/jobs", cast_to=object)["data"]), 1)


def one_file_and_one_batch(bench: Bench) -> None:
    key = tenant(bench)
    client = bench.client(api_key=key)
    data = ("a.jsonl", json.dumps(LINE).encode())
    file = through_losses(bench, key, lambda hasty: hasty.files.create(purpose="batch", file=data))
    same([one.id for one in client.files.list()], [file.id])
    batch = through_losses(
        bench,
        key,
        lambda hasty: hasty.batches.create(input_file_id=file.id, endpoint="/v1/responses", completion_window="24h"),
    )
    same([one.id for one in client.batches.list()], [batch.id])


def one_webhook_endpoint(bench: Bench) -> None:
    bench.needs("webhooks.create")
    key = tenant(bench)
    members = {"name": "hook", "url": "https://example.com/hook", "event_types": ["batch.completed"]}
    made = through_losses(bench, key, lambda hasty: hasty.webhooks.create(**members))
    same([one.id for one in bench.client(api_key=key).webhooks.list()], [made.id])
    true(made.signing_secret.startswith("whsec_"), "the retry is told the secret")


if __name__ == "__main__":
    run([one_response_and_one_charge, one_chat_completion, one_file_and_one_batch, one_webhook_endpoint])
