"""What /openapi.json says about errors and headers, so that routes say it in one word."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from api.schemas import Problem, Submission
from domain.attempt import KEY_PATTERN

BODIES: dict[str, type[BaseModel]] = {}
"""Models of bodies that routes read by themselves; the framework does not know them."""

_TEXTS = {
    400: "The request is wrong; `error.param` names the member or parameter where one is at fault.",
    401: "No valid API key.",
    403: "The key lacks the scope that this route needs.",
    404: "No such object of this tenant.",
    408: "The body did not arrive in time.",
    409: "The first request with this Idempotency-Key is still being answered.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "A member or parameter is wrong; `error.param` names it.",
    429: "A limit of the tenant is reached: `Retry-After` says when to come again.",
    503: "The database can't be reached; try again later.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Entries for `responses=`; 401, 403, 429 and 503 can always happen."""
    schema = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
    return {
        status: {
            "description": _TEXTS[status],
            "content": {"application/problem+json": schema},
            **_HEADERS.get(status, {}),
        }
        for status in (401, 403, *statuses, 429, 503)
    }


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


_RETRY_AFTER = _header("Seconds after which trying again may help.", "integer")
_HEADERS: dict[int, dict[str, Any]] = {
    429: {
        "headers": {
            "Retry-After": _RETRY_AFTER,
            "RateLimit": _header('What is left, such as `"requests";r=0;t=60`, where the tenant has a rate.'),
            "RateLimit-Policy": _header('The rate, such as `"requests";q=600;w=60`.'),
            "x-ratelimit-limit-requests": _header("Requests a minute."),
            "x-ratelimit-remaining-requests": _header("Those left now."),
            "x-ratelimit-reset-requests": _header("Until all are back, such as `60s`."),
            "x-should-retry": _header("`false`: waiting for it would take more than a minute."),
        }
    },
    503: {"headers": {"Retry-After": _RETRY_AFTER}},
}


STORED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The job is stored.",
        "headers": {
            "Location": _header("Where the job can be read."),
            "Retry-After": _header("Seconds after which looking makes sense.", "integer"),
            "Idempotent-Replayed": _header("`true`: the job of an earlier request with the same Idempotency-Key."),
        },
    }
}

SUBMISSION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{Submission.__name__}"}}},
    },
}


def body_of(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """`openapi_extra=` for a route that reads a JSON object by itself."""
    BODIES.setdefault(model.__name__, model)
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


WAIT: dict[str, Any] = {
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "examples": ["wait=30"]},
            "description": "`wait=N`: answer when the job has ended, at the latest after N (at most 60) seconds.",
        }
    ]
}


_IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": KEY_PATTERN},
    "description": "The same key and body within 24 hours give the same answer; the same key with another body is"
    " refused (422).",
}


def _say_that_it_may_be_repeated(post: dict[str, Any]) -> None:
    others = [one for one in post.get("parameters", ()) if one["name"] != _IDEMPOTENCY_KEY["name"]]
    post["parameters"] = [*others, _IDEMPOTENCY_KEY]
    post["responses"] = post["responses"] | {
        str(status): answer for status, answer in errors(400, 409, 422).items() if status in (400, 409, 422)
    }


BODY_ERRORS = errors(400, 404, 408, 413, 415, 422)
"""Of a route that reads a JSON object."""


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The framework's document with our models for what the framework does not know, and without its errors."""
    components = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    for item in document["paths"].values():
        if "post" in item:
            _say_that_it_may_be_repeated(item["post"])
        for operation in item.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    for model in (Problem, Submission, *BODIES.values()):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, inner in schema.pop("$defs", {}).items():
            components.setdefault(name, inner)
        components[model.__name__] = schema
    return document
