"""What can go wrong, by who is to act: the network, the caller, the limit, or the server."""

from __future__ import annotations

import json
from collections.abc import Mapping


class APIError(Exception):
    """Base of everything that this client raises."""


class APIConnectionError(APIError):
    """No answer came, also after the retries: the server was not reached, or the connection broke."""


class JobTimeout(APIError):
    """The time that the caller gave for waiting is over; the job goes on."""


class WebhookVerificationError(APIError):
    """This body was not signed by that secret, or too long ago: do not believe it."""


class APIStatusError(APIError):
    """The server refused. `code` is stable; `param` names the member at fault; quote `request_id` in reports."""

    def __init__(self, status: int, message: str, code: str | None, param: str | None, request_id: str | None) -> None:
        super().__init__(f"{status}: {message}" + (f" ({request_id})" if request_id else ""))
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.request_id = request_id


class AuthenticationError(APIStatusError):
    """401 or 403: the key is missing, wrong, or not meant for this."""


class NotFoundError(APIStatusError):
    """404: no such thing, or not yours."""


class InvalidRequestError(APIStatusError):
    """Another 4xx: the request has to change."""


class RateLimitError(APIStatusError):
    """429, also after the retries: a limit of the tenant is reached."""


class ServerError(APIStatusError):
    """5xx, also after the retries."""


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> APIStatusError:
    """The error that an answer stands for, whatever its body is."""
    told = _error_member(body)
    kind = {401: AuthenticationError, 403: AuthenticationError, 404: NotFoundError, 429: RateLimitError}.get(
        status, ServerError if status >= 500 else InvalidRequestError
    )
    message = told.get("message") or f"the server answered {status}"
    return kind(status, message, told.get("code"), told.get("param"), headers.get("x-request-id"))


def _error_member(body: bytes) -> dict[str, str]:
    try:
        value = json.loads(body)
        error = value.get("error")
        return error if isinstance(error, dict) else {}
    except (ValueError, AttributeError):
        return {}
