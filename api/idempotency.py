"""Idempotency of every POST, for routes that say one word.

* A route that creates something takes `trial: Trials`, and gives `trial.of(body)` to the storage call that creates
  (`storage.idempotency.take`, in the creating transaction). The SDK's retries without a key are recognised as well.
* Any other POST of a router with `route_class=OnceRoute` is covered without a word: under an Idempotency-Key its answer
  is kept and given again. Without a key such a POST is what it is; those of ours may be repeated.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import Response

from api.security import Caller, check_allowed, principal_of
from domain.attempt import KEY_PATTERN, MOST_RETRIES, Attempt
from domain.errors import InvalidRequest
from domain.ids import TenantId
from storage.answers import Answers, KeptAnswer

REPLAYED = "Idempotent-Replayed"
LARGEST_KEPT = 256 * 1024
LONGEST_OPERATION = 300

_KEY = re.compile(KEY_PATTERN)
_RETRY = re.compile(r"^\d{1,9}$")


@dataclass(frozen=True, slots=True)
class Trial:
    """An attempt at a POST of which the body is not known yet."""

    tenant: TenantId
    operation: str
    key: str | None
    retry: int

    def of(self, body: Mapping[str, Any]) -> Attempt:
        """With a JSON object as its body."""
        return self.of_digest(request_hash(body))

    def of_digest(self, digest: str) -> Attempt:
        """With a body that is known by a hash of what it says (of an upload: its content, not its boundaries)."""
        return Attempt(self.tenant, self.operation, digest, self.key, self.retry)


async def trial(
    request: Request,
    caller: Caller,
    key: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
) -> Trial:
    return Trial(caller.tenant, _operation(request), parse_idempotency_key(key), retry_count(request))


Trials = Annotated[Trial, Depends(trial)]


class OnceRoute(APIRoute):
    """`APIRouter(route_class=OnceRoute)`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        if "POST" not in (self.methods or ()) or takes_trial(self.dependant):
            return handler

        async def once(request: Request) -> Response:
            if "idempotency-key" not in request.headers:
                return await handler(request)
            return await _answered_once(request, handler)

        return once


def takes_trial(dependant: Dependant) -> bool:
    return dependant.call is trial or any(map(takes_trial, dependant.dependencies))


async def _answered_once(request: Request, handler: Callable[[Request], Coroutine[Any, Any, Response]]) -> Response:
    principal = await principal_of(request)
    if principal is None:
        return await handler(request)  # which refuses it
    key = parse_idempotency_key(request.headers["idempotency-key"])
    digest = hashlib.sha256(await request.body()).hexdigest()
    attempt = Attempt(principal.tenant, _operation(request), digest, key)
    answers: Answers = request.app.state.services.answers
    kept = await answers.begin(attempt, next(iter(map(str, request.path_params.values())), None))
    if kept is not None:
        await check_allowed(request, principal)
        return Response(kept.body, kept.status, {REPLAYED: "true"}, kept.media_type)
    return await _kept(answers, attempt, handler(request))


async def _kept(answers: Answers, attempt: Attempt, answering: Coroutine[Any, Any, Response]) -> Response:
    """What was refused, or streams, or is large, is not kept: its key is free again."""
    try:
        response = await answering
    except BaseException:
        await answers.drop(attempt)
        raise
    body = getattr(response, "body", None)
    if response.status_code < 300 and isinstance(body, bytes) and len(body) <= LARGEST_KEPT:
        media_type = response.headers.get("content-type", "application/json")
        await answers.finish(attempt, KeptAnswer(response.status_code, media_type, body.decode()))
    else:
        await answers.drop(attempt)
    return response


def parse_idempotency_key(header: str | None) -> str | None:
    """The key of the header, bare or quoted (draft-ietf-httpapi-idempotency-key-header). Raises InvalidRequest."""
    if header is None:
        return None
    match = _KEY.match(header.strip())
    if match is None:
        raise InvalidRequest(
            "Idempotency-Key must be 1 to 255 printable ASCII characters, bare or in double quotes",
            param="Idempotency-Key",
        )
    return match[1] or match[2]


def retry_count(request: Request) -> int:
    """How often the client says that it has asked before."""
    count = request.headers.get("x-stainless-retry-count", "")
    return min(int(count), MOST_RETRIES) if _RETRY.match(count) else 0


def request_hash(body: Mapping[str, Any]) -> str:
    """Equal for bodies that mean the same, however they are written."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _operation(request: Request) -> str:
    """With the ids of the path: the same key for another object is another request."""
    path = request.url.path.encode("ascii", "backslashreplace").decode().replace("\x00", "")
    return f"{request.method} {path}"[:LONGEST_OPERATION]
