"""How the readers of OpenAI's requests say what is wrong."""

from __future__ import annotations

from domain.errors import InvalidRequest


def refused(message: str, param: str | None, code: str = "invalid_value") -> InvalidRequest:
    return InvalidRequest(message, param=param, code=code)


def unsupported(param: str, message: str) -> InvalidRequest:
    """A parameter or value that would change what the answer means, so that it can't be ignored."""
    return InvalidRequest(message, param=param, code="unsupported_parameter")
