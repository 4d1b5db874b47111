"""Where the service is, and one HTTP client for all commands. Every failure becomes one of our errors, in one line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from cli.stack.home import API_KEY_FILE
from cli.stack.record import Record
from domain.errors import ConfigurationError, DeliberateError, InvalidRequest, NotFound, Unavailable
from domain.settings import Settings, from_environment

JOBS = "/v1/reasoning/jobs"
TIMEOUT = httpx.Timeout(35.0, connect=5.0)
"""Longer than any wait that a command asks for."""


@dataclass(frozen=True, slots=True)
class Place:
    """A running service and a key for it."""

    url: str
    key: str


def find(url: str | None, env: Mapping[str, str] = os.environ) -> Place:
    """What the option says, else the stack of this DELIBERATE_HOME, else host and port.

    Raises ConfigurationError or InvalidRequest.
    """
    settings = from_environment(env)
    return Place(_checked(url) if url else _url(settings), _key(settings))


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidRequest(f"{url!r} is not an address: use http://host:port", param="url")
    return url.rstrip("/")


def _url(settings: Settings) -> str:
    info = Record(settings.home).read()
    return info.url if info is not None else f"http://{settings.host}:{settings.port}"


def _key(settings: Settings) -> str:
    if settings.api_keys:
        return settings.api_keys[0]
    try:
        return (settings.home / API_KEY_FILE).read_text().strip()
    except OSError:
        raise ConfigurationError(
            f"no API key in {Path(settings.home)}: run `deliberate up` there first, or set DELIBERATE_API_KEYS"
        ) from None


class Service:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._http = httpx.Client(
            base_url=place.url, headers={"Authorization": f"Bearer {place.key}"}, timeout=TIMEOUT, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def submit(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._call("POST", JOBS, json=body)

    def job(self, job_id: str, wait_s: int = 0) -> dict[str, Any]:
        """The job now, or when it has ended, after at most `wait_s` seconds."""
        headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
        return self._call("GET", f"{JOBS}/{_segment(job_id)}", headers=headers)

    def trace(self, job_id: str, after: int) -> dict[str, Any]:
        return self._call("GET", f"{JOBS}/{_segment(job_id)}/trace", params={"after": after, "limit": 500})

    def cancel(self, job_id: str) -> dict[str, Any]:
        return self._call("POST", f"{JOBS}/{_segment(job_id)}/cancel")

    def page(self, status: str | None, limit: int) -> dict[str, Any]:
        return self._call("GET", JOBS, params={"limit": limit} | ({"status": status} if status else {}))

    def all_jobs(self) -> Iterator[dict[str, Any]]:
        """Every job of this key's tenant, newest first."""
        after: dict[str, str] = {}
        while True:
            page = self._call("GET", JOBS, params={"limit": 100, **after})
            yield from page["data"]
            if not page["has_more"]:
                return
            after = {"after": page["last_id"]}

    def readyz(self) -> dict[str, Any]:
        return self._call("GET", "/readyz")

    def get(self, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._call("POST", path, json=body)

    def delete(self, path: str) -> dict[str, Any]:
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise self._unreachable(error) from None
        if answer.is_success:
            return _json(answer)
        raise self._refusal(answer)

    def _unreachable(self, error: httpx.TransportError) -> Unavailable:
        return Unavailable(
            f"nothing answers at {self._place.url} ({type(error).__name__}): start it with `deliberate up`,"
            " or set DELIBERATE_HOME or DELIBERATE_PORT to where it runs"
        )

    def _refusal(self, answer: httpx.Response) -> DeliberateError:
        return _error(answer.status_code, _json(answer), self._place.url)


def _segment(job_id: str) -> str:
    if not job_id or not job_id.replace("_", "").isalnum() or not job_id.isascii():
        raise InvalidRequest(f"{job_id!r} is not the id of a job: ids look like job_01k…", param="id")
    return job_id


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) else {}


def _error(status: int, body: Mapping[str, Any], url: str) -> DeliberateError:
    said = (body.get("error") or {}).get("message")
    if status == 401:
        return ConfigurationError(
            f"{url} refuses the key: set DELIBERATE_HOME or DELIBERATE_API_KEYS to the service's own"
        )
    if not said:
        return Unavailable(f"{url} answered HTTP {status} without a message: is it a Deliberate service?")
    kinds: dict[int, type[DeliberateError]] = {404: NotFound, 503: Unavailable}
    return kinds.get(status, InvalidRequest)(said)
