"""Who is calling: `Authorization: Bearer <key>`. An answer is remembered for seconds, so a revoked key dies that fast.

Only hashes of keys are remembered. Refusals are not remembered: a key made a moment ago must work at once.
"""

from __future__ import annotations

import hashlib
import re
import time
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problems import HttpProblem
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
        self._known[digest] = (principal, time.monotonic() + REMEMBERED_S)
        return principal


async def caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Principal:
    authenticator: Authenticator = request.app.state.services.authenticator
    principal = None if credentials is None else await authenticator.authenticate(credentials.credentials)
    if principal is None:
        raise HttpProblem(
            401,
            "invalid_api_key",
            "Send a valid API key in the header Authorization: Bearer <key>.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return principal


Caller = Annotated[Principal, Depends(caller)]
