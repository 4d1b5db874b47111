"""The asynchronous client: the same calls as `client.sync`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
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


class AsyncDeliberate:
    """Left out, `base_url` and `api_key` come from DELIBERATE_URL and DELIBERATE_API_KEY. For one event loop."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: Retries | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._settings = Settings(base_url, api_key, timeout_s, retries)
        self._http = http or httpx.AsyncClient()
        self.jobs = Jobs(self)
        self.webhooks = Webhooks(self)
        self.batches = Batches(self)
        self.files = Files(self)

    async def __aenter__(self) -> AsyncDeliberate:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def run(self, call: Call[T], idempotency_key: str | None = None) -> T:
        """Carry a call out, again where that may help. Raises APIError."""
        given = arguments(call, self._settings, idempotency_key)
        given["headers"] |= self._settings.headers
        url, attempt = self._settings.base_url + call.path, 0
        while True:
            attempt += 1
            try:
                response = await self._http.request(call.method, url, **given)
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
            await asyncio.sleep(pause_s)

    @asynccontextmanager
    async def stream(
        self, path: str, headers: Mapping[str, str], params: Mapping[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        """One streamed GET. Raises APIError."""
        url, all_headers = self._settings.base_url + path, {**self._settings.headers, **headers}
        try:
            async with self._http.stream(
                "GET", url, headers=all_headers, params=params, timeout=STREAM_TIMEOUT
            ) as response:
                if not response.is_success:
                    raise error_of(response.status_code, response.headers, await response.aread())
                yield response
        except httpx.TransportError as error:
            raise APIConnectionError(f"GET {path}: {type(error).__name__}") from error

    def pause_after(self, failures: int) -> float | None:
        return self._settings.retries.after(failures, None, {})


class _Resource:
    def __init__(self, client: AsyncDeliberate) -> None:
        self._client = client
        self._run = client.run


class Jobs(_Resource):
    """Problems to be solved."""

    async def create(
        self,
        problem: str | list[Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[JobOptions],
    ) -> Job:
        """Store a problem. Retries make no second job; give your own key to make a repeat of yours harmless, too."""
        return await self._run(calls.create_job(problem, options), idempotency_key)

    async def get(self, job_id: str) -> Job:
        return await self._run(calls.get_job(job_id))

    async def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job at its end. Raises JobTimeout."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = calls.LONGEST_WAIT_S if until is None else until - time.monotonic()
            job = await self._run(calls.get_job(job_id, left))
            if job.ended:
                return job
            if until is not None and time.monotonic() >= until:
                raise JobTimeout(f"{job_id} has not ended within {timeout_s:g} s; it goes on")

    async def solve(
        self,
        problem: str | list[Mapping[str, Any]],
        *,
        timeout_s: float | None = None,
        **options: Unpack[JobOptions],
    ) -> Job:
        """Create a job and wait for its end. Raises JobTimeout."""
        job = await self.create(problem, **options)
        return await self.wait(job.id, timeout_s)

    async def cancel(self, job_id: str) -> Job:
        return await self._run(calls.cancel_job(job_id))

    async def list(self, **filters: Any) -> Page[Job]:
        """One page, newest first. Filters: status, labels, metadata, created_after, created_before, after, limit."""
        return await self._run(calls.list_jobs(**filters))

    async def all(self, **filters: Any) -> AsyncIterator[Job]:
        """Every job that fits, page by page."""
        after = None
        while True:
            page = await self._run(calls.list_jobs(**({"limit": 100} | filters), after=after))
            for job in page:
                yield job
            if not page.has_more:
                return
            after = page.last_id

    async def events(self, job_id: str, last_event_id: str | None = None) -> AsyncIterator[Event]:
        """The search as it happens, to its end; a connection that breaks is made again and goes on where it was."""
        parser, failures = Parser(last_event_id), 0
        while True:
            last_id = parser.last_id
            try:
                async with self._client.stream(calls.events_path(job_id), stream_headers(last_id), {}) as response:
                    async for chunk in response.aiter_bytes():
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
            await asyncio.sleep(pause_s)
            parser = Parser(parser.last_id)

    async def trace(self, job_id: str, after: int = -1) -> AsyncIterator[TraceEvent]:
        """Every stored event, page by page."""
        more = True
        while more:
            events, more = await self._run(calls.trace_page(job_id, after, 1000))
            for event in events:
                yield event
            after = events[-1].seq if events else after

    async def download_trace(self, job_id: str, path: str | Path) -> None:
        """The whole trace as JSON lines."""
        async with self._client.stream(calls.trace_file_path(job_id), {}, {}) as response:
            await _save(response, Path(path))

    async def deliveries(self, job_id: str) -> Page[Delivery]:
        return await self._run(calls.job_deliveries(job_id))


class Webhooks(_Resource):
    """Endpoints, their deliveries, and the check of what arrives."""

    async def create(self, name: str, url: str, event_types: Iterable[str]) -> WebhookEndpoint:
        """Keep `signing_secret`: it is not shown again."""
        return await self._run(calls.create_endpoint(name, url, event_types))

    async def get(self, endpoint_id: str) -> WebhookEndpoint:
        return await self._run(calls.get_endpoint(endpoint_id))

    async def list(self, after: str | None = None, limit: int = 20) -> Page[WebhookEndpoint]:
        return await self._run(calls.list_endpoints(after, limit))

    async def update(self, endpoint_id: str, **changes: Any) -> WebhookEndpoint:
        """Any of name, url, event_types, enabled."""
        return await self._run(calls.update_endpoint(endpoint_id, changes))

    async def delete(self, endpoint_id: str) -> None:
        await self._run(calls.delete_endpoint(endpoint_id))

    async def rotate_secret(self, endpoint_id: str, *, keep_old: bool = False) -> WebhookEndpoint:
        """With `keep_old` the former secret signs, too, for 24 hours."""
        return await self._run(calls.rotate_secret(endpoint_id, keep_old))

    async def own_secret(self) -> str:
        """Of the tenant: it signs what goes to a job's own `webhook_url`."""
        return await self._run(calls.own_secret())

    async def rotate_own_secret(self, *, keep_old: bool = False) -> str:
        """The new one. With `keep_old` the former secret signs, too, for 24 hours."""
        return await self._run(calls.rotate_own_secret(keep_old))

    async def test(self, endpoint_id: str, event_type: str) -> int:
        """Send a sample; the status code that the endpoint answered."""
        return await self._run(calls.test_endpoint(endpoint_id, event_type))

    async def deliveries(
        self, endpoint_id: str, *, status: str | None = None, after: str | None = None, limit: int = 20
    ) -> Page[Delivery]:
        return await self._run(calls.endpoint_deliveries(endpoint_id, status, after, limit))

    async def delivery(self, delivery_id: str) -> Delivery:
        """With the log of its attempts in `raw`."""
        return await self._run(calls.get_delivery(delivery_id))

    async def replay(self, delivery_id: str) -> None:
        await self._run(calls.replay_delivery(delivery_id))

    @staticmethod
    def verify(
        payload: bytes | str, headers: Mapping[str, str], secret: str, *, tolerance_s: float = TOLERANCE_S
    ) -> WebhookEvent:
        """See `client.verification.verify_webhook`."""
        return verify_webhook(payload, headers, secret, tolerance_s=tolerance_s)


class Batches(_Resource):
    """Many problems under one budget."""

    async def create(self, input_file_id: str, *, idempotency_key: str | None = None, **options: Any) -> Batch:
        """Of an uploaded file; options as /docs says (strategy, effort, budget, job_budget, on_invalid_line, …)."""
        return await self._run(calls.create_batch(input_file_id, options), idempotency_key)

    async def get(self, batch_id: str) -> Batch:
        return await self._run(calls.get_batch(batch_id))

    async def list(self, after: str | None = None, limit: int = 20) -> Page[Batch]:
        return await self._run(calls.list_batches(after, limit))

    async def cancel(self, batch_id: str) -> Batch:
        return await self._run(calls.change_batch(batch_id, "cancel"))

    async def pause(self, batch_id: str) -> Batch:
        return await self._run(calls.change_batch(batch_id, "pause"))

    async def resume(self, batch_id: str) -> Batch:
        return await self._run(calls.change_batch(batch_id, "resume"))

    async def download_results(self, batch_id: str, path: str | Path, **params: Any) -> None:
        """What has ended so far, as a file; `format` is jsonl, csv or parquet."""
        results = calls.batch_results_path(batch_id)
        async with self._client.stream(results, {}, params) as response:
            await _save(response, Path(path))


class Files(_Resource):
    async def upload(self, path: str | Path, purpose: str = "batch") -> File:
        """A whole file in one request."""
        source = Path(path)
        content = await asyncio.to_thread(source.read_bytes)
        return await self._run(calls.upload(source.name, content, purpose))


async def _save(response: httpx.Response, path: Path) -> None:
    with path.open("wb") as file:
        async for chunk in response.aiter_bytes():
            await asyncio.to_thread(file.write, chunk)
