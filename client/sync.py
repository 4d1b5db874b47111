"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, Unpack

import httpx

from client import calls
from client.calls import Call
from client.errors import APIConnectionError, JobTimeout, error_of
from client.retrying import Retries
from client.shapes import (
    Batch,
    Delivery,
    Event,
    File,
    Job,
    JobOptions,
    Page,
    TraceEvent,
    WebhookEndpoint,
    WebhookEvent,
)
from client.sse import Parser
from client.transport import STREAM_TIMEOUT, TIMEOUT_S, Settings, arguments, parsed, stream_headers
from client.verification import TOLERANCE_S, verify_webhook

T = TypeVar("T")


class Deliberate:
    """Left out, `base_url` and `api_key` come from DELIBERATE_URL and DELIBERATE_API_KEY. Safe to share by threads."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: Retries | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._settings = Settings(base_url, api_key, timeout_s, retries)
        self._http = http or httpx.Client()
        self.jobs = Jobs(self)
        self.webhooks = Webhooks(self)
        self.batches = Batches(self)
        self.files = Files(self)

    def __enter__(self) -> Deliberate:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def run(self, call: Call[T], idempotency_key: str | None = None) -> T:
        """Carry a call out, again where that may help. Raises APIError."""
        given = arguments(call, self._settings, idempotency_key)
        given["headers"] |= self._settings.headers
        url, attempt = self._settings.base_url + call.path, 0
        while True:
            attempt += 1
            try:
                response = self._http.request(call.method, url, **given)
            except httpx.TransportError as error:
                pause_s = self._settings.retries.after(attempt, None, {})
                if pause_s is None:
                    raise APIConnectionError(f"{call.method} {call.path}: {type(error).__name__}") from error
            else:
                if response.is_success:
                    return parsed(call, response.content)
                pause_s = self._settings.retries.after(attempt, response.status_code, response.headers)
                if pause_s is None:
                    raise error_of(response.status_code, response.headers, response.content)
            time.sleep(pause_s)

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str], params: Mapping[str, Any]) -> Iterator[httpx.Response]:
        """One streamed GET. Raises APIError."""
        url, all_headers = self._settings.base_url + path, {**self._settings.headers, **headers}
        try:
            with self._http.stream("GET", url, headers=all_headers, params=params, timeout=STREAM_TIMEOUT) as response:
                if not response.is_success:
                    raise error_of(response.status_code, response.headers, response.read())
                yield response
        except httpx.TransportError as error:
            raise APIConnectionError(f"GET {path}: {type(error).__name__}") from error

    def pause_after(self, failures: int) -> float | None:
        return self._settings.retries.after(failures, None, {})


class _Resource:
    def __init__(self, client: Deliberate) -> None:
        self._client = client
        self._run = client.run


class Jobs(_Resource):
    """Problems to be solved."""

    def create(
        self,
        problem: str | list[Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[JobOptions],
    ) -> Job:
        """Store a problem. Retries make no second job; give your own key to make a repeat of yours harmless, too."""
        return self._run(calls.create_job(problem, options), idempotency_key)

    def get(self, job_id: str) -> Job:
        return self._run(calls.get_job(job_id))

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job at its end. Raises JobTimeout."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = calls.LONGEST_WAIT_S if until is None else until - time.monotonic()
            job = self._run(calls.get_job(job_id, left))
            if job.ended:
                return job
            if until is not None and time.monotonic() >= until:
                raise JobTimeout(f"{job_id} has not ended within {timeout_s:g} s; it goes on")

    def solve(
        self,
        problem: str | list[Mapping[str, Any]],
        *,
        timeout_s: float | None = None,
        **options: Unpack[JobOptions],
    ) -> Job:
        """Create a job and wait for its end. Raises JobTimeout."""
        return self.wait(self.create(problem, **options).id, timeout_s)

    def cancel(self, job_id: str) -> Job:
        return self._run(calls.cancel_job(job_id))

    def list(self, **filters: Any) -> Page[Job]:
        """One page, newest first. Filters: status, labels, metadata, created_after, created_before, after, limit."""
        return self._run(calls.list_jobs(**filters))

    def all(self, **filters: Any) -> Iterator[Job]:
        """Every job that fits, page by page."""
        after = None
        while True:
            page = self._run(calls.list_jobs(**({"limit": 100} | filters), after=after))
            yield from page
            if not page.has_more:
                return
            after = page.last_id

    def events(self, job_id: str, last_event_id: str | None = None) -> Iterator[Event]:
        """The search as it happens, to its end; a connection that breaks is made again and goes on where it was."""
        parser, failures = Parser(last_event_id), 0
        while True:
            last_id = parser.last_id
            try:
                with self._client.stream(calls.events_path(job_id), stream_headers(last_id), {}) as response:
                    for chunk in response.iter_bytes():
                        for event in parser.feed(chunk):
                            failures = 0
                            yield event
                            if event.type == "job.stopped":
                                return
                    if response.status_code == 204:
                        return
            except APIConnectionError:
                pass
            failures += 1
            pause_s = self._client.pause_after(failures)
            if pause_s is None:
                raise APIConnectionError(f"the event stream of {job_id} broke off")
            time.sleep(pause_s)
            parser = Parser(parser.last_id)

    def trace(self, job_id: str, after: int = -1) -> Iterator[TraceEvent]:
        """Every stored event, page by page."""
        more = True
        while more:
            events, more = self._run(calls.trace_page(job_id, after, 1000))
            yield from events
            after = events[-1].seq if events else after

    def download_trace(self, job_id: str, path: str | Path) -> None:
        """The whole trace as JSON lines."""
        with self._client.stream(calls.trace_file_path(job_id), {}, {}) as response, Path(path).open("wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)

    def deliveries(self, job_id: str) -> Page[Delivery]:
        return self._run(calls.job_deliveries(job_id))


class Webhooks(_Resource):
    """Endpoints, their deliveries, and the check of what arrives."""

    def create(self, name: str, url: str, event_types: Iterable[str]) -> WebhookEndpoint:
        """Keep `signing_secret`: it is not shown again."""
        return self._run(calls.create_endpoint(name, url, event_types))

    def get(self, endpoint_id: str) -> WebhookEndpoint:
        return self._run(calls.get_endpoint(endpoint_id))

    def list(self, after: str | None = None, limit: int = 20) -> Page[WebhookEndpoint]:
        return self._run(calls.list_endpoints(after, limit))

    def update(self, endpoint_id: str, **changes: Any) -> WebhookEndpoint:
        """Any of name, url, event_types, enabled."""
        return self._run(calls.update_endpoint(endpoint_id, changes))

    def delete(self, endpoint_id: str) -> None:
        self._run(calls.delete_endpoint(endpoint_id))

    def rotate_secret(self, endpoint_id: str, *, keep_old: bool = False) -> WebhookEndpoint:
        """With `keep_old` the former secret signs, too, for 24 hours."""
        return self._run(calls.rotate_secret(endpoint_id, keep_old))

    def own_secret(self) -> str:
        """Of the tenant: it signs what goes to a job's own `webhook_url`."""
        return self._run(calls.own_secret())

    def rotate_own_secret(self, *, keep_old: bool = False) -> str:
        """The new one. With `keep_old` the former secret signs, too, for 24 hours."""
        return self._run(calls.rotate_own_secret(keep_old))

    def test(self, endpoint_id: str, event_type: str) -> int:
        """Send a sample; the status code that the endpoint answered."""
        return self._run(calls.test_endpoint(endpoint_id, event_type))

    def deliveries(
        self, endpoint_id: str, *, status: str | None = None, after: str | None = None, limit: int = 20
    ) -> Page[Delivery]:
        return self._run(calls.endpoint_deliveries(endpoint_id, status, after, limit))

    def delivery(self, delivery_id: str) -> Delivery:
        """With the log of its attempts in `raw`."""
        return self._run(calls.get_delivery(delivery_id))

    def replay(self, delivery_id: str) -> None:
        self._run(calls.replay_delivery(delivery_id))

    @staticmethod
    def verify(
        payload: bytes | str, headers: Mapping[str, str], secret: str, *, tolerance_s: float = TOLERANCE_S
    ) -> WebhookEvent:
        """See `client.verification.verify_webhook`."""
        return verify_webhook(payload, headers, secret, tolerance_s=tolerance_s)


class Batches(_Resource):
    """Many problems under one budget."""

    def create(self, input_file_id: str, *, idempotency_key: str | None = None, **options: Any) -> Batch:
        """Of an uploaded file; options as /docs says (strategy, effort, budget, job_budget, on_invalid_line, …)."""
        return self._run(calls.create_batch(input_file_id, options), idempotency_key)

    def get(self, batch_id: str) -> Batch:
        return self._run(calls.get_batch(batch_id))

    def list(self, after: str | None = None, limit: int = 20) -> Page[Batch]:
        return self._run(calls.list_batches(after, limit))

    def cancel(self, batch_id: str) -> Batch:
        return self._run(calls.change_batch(batch_id, "cancel"))

    def pause(self, batch_id: str) -> Batch:
        return self._run(calls.change_batch(batch_id, "pause"))

    def resume(self, batch_id: str) -> Batch:
        return self._run(calls.change_batch(batch_id, "resume"))

    def download_results(self, batch_id: str, path: str | Path, **params: Any) -> None:
        """What has ended so far, as a file; `format` is jsonl, csv or parquet."""
        results = calls.batch_results_path(batch_id)
        with self._client.stream(results, {}, params) as response, Path(path).open("wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)


class Files(_Resource):
    def upload(self, path: str | Path, purpose: str = "batch") -> File:
        """A whole file in one request."""
        source = Path(path)
        return self._run(calls.upload(source.name, source.read_bytes(), purpose))
