"""Sends one webhook attempt: signed by Standard Webhooks, to a checked address, within a time, believing only a 2xx.

The id stays the same over all attempts of a delivery and the timestamp is the attempt's own
(standard-webhooks/spec, "Webhook metadata"). Redirects are failures and are never followed. What the receiver writes
back is read up to a cap and thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpcore
import httpx
from standardwebhooks.webhooks import Webhook

from messaging.addresses import Networks, url_refusal
from messaging.dialling import GuardedBackend, Refused, Resolve, resolve_by_system

TIMEOUT_S = 15.0
DRAIN_S = 2.0
LONGEST_RESPONSE = 65_536
USER_AGENT = "Deliberate-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it; `error` is one line for the tenant, without addresses behind the name."""

    status_code: int | None
    error: str | None = None
    retry_after_s: float | None = None


class WebhookSender:
    """Makes a fresh connection for every attempt. The environment's proxies are not used: they would dial for us."""

    def __init__(
        self, allowed: Networks = (), resolve: Resolve = resolve_by_system, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context()

    async def send(self, *, id: str, url: str, body: bytes, secret: str, previous_secret: str | None = None) -> Attempt:
        """One attempt, now. Never raises for what the receiver or the network does."""
        refusal = url_refusal(url, self._allowed)
        if refusal is not None:
            return Attempt(None, f"webhook_url {refusal}")
        headers = sign(id, body, secret, datetime.now(UTC), previous_secret)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(url, headers, body)
        except (TimeoutError, httpcore.TimeoutException):
            return Attempt(None, f"no answer within {self._timeout_s:g} s")
        except Refused:
            return Attempt(None, "the name leads to a private or reserved address")
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            return Attempt(None, f"connection failed ({type(error).__name__})")
        except (httpx.InvalidURL, ValueError):
            return Attempt(None, "webhook_url can't be used")

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        target = httpx.URL(url)
        address = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
        backend = GuardedBackend(self._allowed, self._resolve)
        try:
            async with (
                httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=backend) as pool,
                pool.stream("POST", address, headers=list(headers.items()), content=body) as response,
            ):
                await _drain(response)
                return _judged(response)
        finally:
            await backend.close()


def sign(id: str, body: bytes, secret: str, at: datetime, previous_secret: str | None = None) -> dict[str, str]:
    """The headers of an attempt made `at` this time (UTC), signed by one `whsec_…`, or by two during a rotation."""
    signers = [secret] if previous_secret is None else [secret, previous_secret]
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(signer).sign(id, at, body.decode()) for signer in signers),
    }


def _judged(response: httpcore.Response) -> Attempt:
    status = response.status
    if 200 <= status < 300:
        return Attempt(status)
    headers = {name.lower(): value for name, value in response.headers}
    return Attempt(
        status, f"the receiver answered {status}", retry_after(headers.get(b"retry-after", b""), datetime.now(UTC))
    )


def retry_after(header: bytes, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3: a number or a date); None if it is neither."""
    text = header.decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(text).astimezone(UTC) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


async def _drain(response: httpcore.Response) -> None:
    """Read what the receiver says, within limits: the status is known already, so that nothing here is a failure."""
    size = 0
    with contextlib.suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
        async with asyncio.timeout(DRAIN_S):
            async for chunk in response.aiter_stream():
                size += len(chunk)
                if size > LONGEST_RESPONSE:
                    return
