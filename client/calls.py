"""The API as values: a `Call` is a request and how its answer is read. Both clients only carry them out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from client.shapes import (
    Batch,
    Delivery,
    File,
    Job,
    Page,
    TraceEvent,
    WebhookEndpoint,
    read,
    read_page,
)

T = TypeVar("T")
JOBS = "/v1/reasoning/jobs"
ENDPOINTS = "/v1/webhook_endpoints"
DELIVERIES = "/v1/webhook-deliveries"
SECRET = "/v1/webhook-secret"
BATCHES = "/v1/reasoning/batches"
FILES = "/v1/files"
LONGEST_WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    method: str
    path: str
    parse: Callable[[bytes], T]
    json: Mapping[str, Any] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes]] | None = None
    extra_s: float = 0.0
    """How much longer than usual the answer may take."""


def create_job(problem: str | list[Mapping[str, Any]], options: Mapping[str, Any]) -> Call[Job]:
    return Call("POST", JOBS, _one(Job), json={"problem": problem, **options})


def get_job(job_id: str, wait_s: float | None = None) -> Call[Job]:
    if wait_s is None:
        return Call("GET", _at(JOBS, job_id), _one(Job))
    seconds = int(min(max(wait_s, 1), LONGEST_WAIT_S))
    headers = {"Prefer": f"wait={seconds}"}
    return Call("GET", _at(JOBS, job_id), _one(Job), headers=headers, extra_s=seconds)


def list_jobs(
    *,
    status: Iterable[str] = (),
    labels: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    created_after: float | str | None = None,
    created_before: float | str | None = None,
    after: str | None = None,
    limit: int = 20,
) -> Call[Page[Job]]:
    pairs = {f"metadata[{name}]": value for name, value in (metadata or {}).items()}
    params = {"created_after": created_after, "created_before": created_before, "after": after, "limit": limit}
    return Call(
        "GET", JOBS, _page(Job), params={"status": list(status), "label": list(labels), **_given(params), **pairs}
    )


def cancel_job(job_id: str) -> Call[Job]:
    return Call("POST", _at(JOBS, job_id, "cancel"), _one(Job))


def trace_page(job_id: str, after: int, limit: int) -> Call[tuple[tuple[TraceEvent, ...], bool]]:
    def parse(body: bytes) -> tuple[tuple[TraceEvent, ...], bool]:
        data = json.loads(body)
        return tuple(read(TraceEvent, one) for one in data["data"]), bool(data["has_more"])

    return Call("GET", _at(JOBS, job_id, "trace"), parse, params={"after": after, "limit": limit})


def events_path(job_id: str) -> str:
    return _at(JOBS, job_id, "events")


def trace_file_path(job_id: str) -> str:
    return _at(JOBS, job_id, "trace.jsonl")


def job_deliveries(job_id: str) -> Call[Page[Delivery]]:
    return Call("GET", _at(JOBS, job_id, "deliveries"), _page(Delivery))


def create_endpoint(name: str, url: str, event_types: Iterable[str]) -> Call[WebhookEndpoint]:
    body = {"name": name, "url": url, "event_types": list(event_types)}
    return Call("POST", ENDPOINTS, _one(WebhookEndpoint), json=body)


def get_endpoint(endpoint_id: str) -> Call[WebhookEndpoint]:
    return Call("GET", _at(ENDPOINTS, endpoint_id), _one(WebhookEndpoint))


def list_endpoints(after: str | None, limit: int) -> Call[Page[WebhookEndpoint]]:
    return Call("GET", ENDPOINTS, _page(WebhookEndpoint), params=_given({"after": after, "limit": limit}))


def update_endpoint(endpoint_id: str, changes: Mapping[str, Any]) -> Call[WebhookEndpoint]:
    return Call("POST", _at(ENDPOINTS, endpoint_id), _one(WebhookEndpoint), json=_given(changes))


def delete_endpoint(endpoint_id: str) -> Call[None]:
    return Call("DELETE", _at(ENDPOINTS, endpoint_id), lambda _: None)


def rotate_secret(endpoint_id: str, keep_old: bool) -> Call[WebhookEndpoint]:
    body = {"keep_old_secret_active_for_24_hours": keep_old}
    return Call("POST", _at(ENDPOINTS, endpoint_id, "rotate_secret"), _one(WebhookEndpoint), json=body)


def own_secret() -> Call[str]:
    return Call("GET", SECRET, lambda body: str(json.loads(body)["secret"]))


def rotate_own_secret(keep_old: bool) -> Call[str]:
    body = {"keep_old_secret_active_for_24_hours": keep_old}
    return Call("POST", f"{SECRET}/rotate", lambda raw: str(json.loads(raw)["secret"]), json=body)


def test_endpoint(endpoint_id: str, event_type: str) -> Call[int]:
    def parse(body: bytes) -> int:
        return int(json.loads(body)["status_code"])

    return Call("POST", _at(ENDPOINTS, endpoint_id, "test"), parse, json={"event_type": event_type}, extra_s=20.0)


def endpoint_deliveries(endpoint_id: str, status: str | None, after: str | None, limit: int) -> Call[Page[Delivery]]:
    params = _given({"status": status, "after": after, "limit": limit})
    return Call("GET", _at(ENDPOINTS, endpoint_id, "deliveries"), _page(Delivery), params=params)


def get_delivery(delivery_id: str) -> Call[Delivery]:
    return Call("GET", _at(DELIVERIES, delivery_id), _one(Delivery))


def replay_delivery(delivery_id: str) -> Call[None]:
    return Call("POST", _at(DELIVERIES, delivery_id, "replay"), lambda _: None)


def upload(name: str, content: bytes, purpose: str) -> Call[File]:
    return Call("POST", FILES, _one(File), data={"purpose": purpose}, files={"file": (name, content)}, extra_s=600.0)


def create_batch(input_file_id: str, options: Mapping[str, Any]) -> Call[Batch]:
    return Call("POST", BATCHES, _one(Batch), json={"input_file_id": input_file_id, **options})


def get_batch(batch_id: str) -> Call[Batch]:
    return Call("GET", _at(BATCHES, batch_id), _one(Batch))


def list_batches(after: str | None, limit: int) -> Call[Page[Batch]]:
    return Call("GET", BATCHES, _page(Batch), params=_given({"after": after, "limit": limit}))


def change_batch(batch_id: str, verb: str) -> Call[Batch]:
    """`cancel`, `pause` or `resume`."""
    return Call("POST", _at(BATCHES, batch_id, verb), _one(Batch))


def batch_results_path(batch_id: str) -> str:
    return _at(BATCHES, batch_id, "results")


def _at(collection: str, id: str, *rest: str) -> str:
    if not id:
        raise ValueError("an empty id names nothing")
    return "/".join((collection, quote(id, safe=""), *rest))


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _one(kind: type[T]) -> Callable[[bytes], T]:
    return lambda body: read(kind, json.loads(body))


def _page(kind: type[T]) -> Callable[[bytes], Page[T]]:
    return lambda body: read_page(kind, json.loads(body))
