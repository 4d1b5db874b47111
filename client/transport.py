"""What both clients do with a `Call` before and after the network: headers, one key over all attempts, errors."""

from __future__ import annotations

import os
import secrets
from typing import Any, TypeVar

import httpx

from client.calls import Call
from client.errors import APIError
from client.retrying import Retries

T = TypeVar("T")
TIMEOUT_S = 30.0
DEFAULT_URL = "http://127.0.0.1:8080"
USER_AGENT = "deliberate-python/1"
STREAM_TIMEOUT = httpx.Timeout(TIMEOUT_S, read=45.0)
"""The server says something every 12 s: a stream that is silent for longer is lost."""


class Settings:
    """Where the server is and who calls it; left out: DELIBERATE_URL and DELIBERATE_API_KEY."""

    def __init__(self, base_url: str | None, api_key: str | None, timeout_s: float, retries: Retries | None) -> None:
        self.base_url = (base_url or os.environ.get("DELIBERATE_URL") or DEFAULT_URL).rstrip("/").removesuffix("/v1")
        key = api_key or os.environ.get("DELIBERATE_API_KEY")
        if not key:
            raise APIError("no API key: pass api_key, or set DELIBERATE_API_KEY")
        self.headers = {"Authorization": f"Bearer {key}", "User-Agent": USER_AGENT}
        self.timeout_s = timeout_s
        self.retries = retries or Retries()


def arguments(call: Call[T], settings: Settings, idempotency_key: str | None) -> dict[str, Any]:
    """What httpx is given, at every attempt the same."""
    headers = dict(call.headers)
    if call.method == "POST":
        headers["Idempotency-Key"] = idempotency_key or secrets.token_hex(16)
    given: dict[str, Any] = {
        "headers": headers,
        "params": dict(call.params),
        "timeout": settings.timeout_s + call.extra_s,
    }
    if call.json is not None:
        given["json"] = dict(call.json)
    if call.files is not None:
        given |= {"files": dict(call.files), "data": dict(call.data or {})}
    return given


def parsed(call: Call[T], body: bytes) -> T:
    """Raises APIError for a body that is not of this API."""
    try:
        return call.parse(body)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise APIError(f"{call.method} {call.path}: the answer is not of this API; is base_url right?") from None


def stream_headers(last_id: str | None) -> dict[str, str]:
    headers = {"Accept": "text/event-stream"}
    return headers if last_id is None else headers | {"Last-Event-ID": last_id}
