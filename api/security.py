"""Who is calling, and whether the caller may: `Authorization: Bearer <key>`, the key's scopes, the tenant's rate.

An answer is remembered for seconds, so a revoked key dies that fast. Only hashes of keys are remembered. Refusals are
not remembered: a key made a moment ago must work at once.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problems import HttpProblem
from api.scopes import scope_of
from domain.errors import LimitReached
from messaging.rates import Rates
from storage.keys import Keys, Principal

REMEMBERED_S = 5.0
MOST_REMEMBERED = 10_000

_KEY = re.compile(r"^[\x21-\x7e]{1,512}$")
_bearer = HTTPBearer(auto_error=False, description="An API key, such as `deliberate up` prints it.")


class Authenticator:
    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._known: dict[bytes, tuple[Principal, float]] = {}

    async def authenticate(self, token: str) -> Principal | None:
        if not _KEY.match(token):
            return None
        digest = hashlib.sha256(token.encode()).digest()
        found, until = self._known.get(digest, (None, 0.0))
        if found is not None and time.monotonic() < until:
            return found
        principal = await self._keys.authenticate(token)
        if principal is None:
            self._known.pop(digest, None)
            return None
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        remembered_s = REMEMBERED_S if principal.left_s is None else min(REMEMBERED_S, principal.left_s)
        self._known[digest] = (principal, time.monotonic() + remembered_s)
        return principal

    def forget(self) -> None:
        """Keys or limits have changed: ask again (other processes learn of it within seconds)."""
        self._known.clear()


async def principal_of(request: Request) -> Principal | None:
    """Who makes this request; None without a valid key. Raises Unavailable."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    authenticator: Authenticator = request.app.state.services.authenticator
    return await authenticator.authenticate(token.strip())


async def caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Principal:
    """Raises HttpProblem (401, 403) and LimitReached (429)."""
    authenticator: Authenticator = request.app.state.services.authenticator
    principal = None if credentials is None else await authenticator.authenticate(credentials.credentials)
    if principal is None:
        raise HttpProblem(
            401,
            "invalid_api_key",
            "Send a valid API key in the header Authorization: Bearer <key>.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    await check_allowed(request, principal)
    return principal


async def check_allowed(request: Request, principal: Principal) -> None:
    """That the key may do this, now. Raises HttpProblem (403) and LimitReached (429)."""
    _check_scope(request, principal)
    await _check_rate(request, principal)


def _check_scope(request: Request, principal: Principal) -> None:
    needed = scope_of(request.method, request.scope["route"].path)
    if needed not in principal.scopes:
        raise HttpProblem(
            403,
            "insufficient_scope",
            f"This key may not do this: it needs the scope {needed}.",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
        )


async def _check_rate(request: Request, principal: Principal) -> None:
    limit = principal.requests_per_minute
    if limit is None:
        return
    rates: Rates = request.app.state.services.rates
    standing = await rates.spend(principal.tenant, limit)
    # The outermost layer writes them on whatever answers.
    renewed_in_s = math.ceil(standing.renewed_in_s)
    request.state.rate_headers = {
        "RateLimit-Policy": f'"requests";q={limit};w=60',
        "RateLimit": f'"requests";r={standing.left};t={renewed_in_s}',
        # As OpenAI says the same.
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(standing.left),
        "x-ratelimit-reset-requests": f"{renewed_in_s}s",
    }
    if not standing.allowed:
        raise LimitReached(
            f"this tenant makes more than {limit} requests a minute: slow down",
            code="rate_limit_exceeded",
            retry_after_s=standing.retry_in_s,
        )


Caller = Annotated[Principal, Depends(caller)]
