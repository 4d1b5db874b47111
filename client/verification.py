"""Whether a webhook is what it says (the Standard Webhooks specification), with the standard library alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

from client.errors import WebhookVerificationError
from client.shapes import WebhookEvent, read

TOLERANCE_S = 300
PREFIX = "whsec_"


def verify_webhook(
    payload: bytes | str, headers: Mapping[str, str], secret: str, *, tolerance_s: float = TOLERANCE_S
) -> WebhookEvent:
    """The event of a webhook's raw body. Raises WebhookVerificationError.

    Pass the body exactly as it came. A delivery may come more than once, under the same `webhook-id`.
    """
    body = payload.encode() if isinstance(payload, str) else payload
    lower = {name.lower(): value for name, value in headers.items()}
    id, stamp, signatures = (_header(lower, f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    _check_time(stamp, tolerance_s)
    expected = base64.b64encode(
        hmac.new(_key(secret), b".".join((id.encode(), stamp.encode(), body)), hashlib.sha256).digest()
    )
    offered = [part[3:].encode() for part in signatures.split() if part.startswith("v1,")]
    # All are compared, so that the time taken says nothing.
    if not any([hmac.compare_digest(expected, one) for one in offered]):
        raise WebhookVerificationError("no signature of this webhook fits the secret")
    try:
        return read(WebhookEvent, json.loads(body))
    except (ValueError, TypeError, AttributeError):
        raise WebhookVerificationError("the body is signed but is not an event") from None


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise WebhookVerificationError(f"the header {name} is missing")
    return value


def _check_time(stamp: str, tolerance_s: float) -> None:
    try:
        age_s = time.time() - int(stamp)
    except ValueError:
        raise WebhookVerificationError("webhook-timestamp is not a number") from None
    if abs(age_s) > tolerance_s:
        raise WebhookVerificationError("the webhook was signed too long ago, or in the future")


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise WebhookVerificationError("the secret is not one: it begins with whsec_") from None
