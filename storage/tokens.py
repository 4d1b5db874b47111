"""Secrets and tokens: how they are made, stored and proven.

A token is `dlb_<id>_<secret>`. Only hashes are stored, and a comparison takes the same time for any key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from domain.ids import make_id

MAX_TOKEN_CHARS = 512
_TOKEN = re.compile(r"^dlb_([0-9a-hjkmnp-tv-z]{26})_([0-9a-f]{48})$")
_NOBODY = bytes(32)


def candidates(token: str) -> dict[str, str]:
    """The secret that this token would prove, by the id of the key: as a bootstrap key, and as one of ours."""
    found = {digest_id(token): token}
    if ours := _TOKEN.match(token):
        found[f"key_{ours[1]}"] = ours[2]
    return found


def fresh_secret() -> str:
    return secrets.token_hex(24)


def token_of(key_id: str, secret: str) -> str:
    return f"dlb_{key_id.removeprefix('key_')}_{secret}"


def hash_of(secret: str) -> bytes:
    # The secrets are long and random, so that a fast hash is enough: there is nothing to guess.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def proves(secret: str, *hashes: bytes | None) -> bool:
    """Whether one of these is its hash. All are compared, so that what there is does not show in the time taken."""
    digest = hash_of(secret)
    return any([hmac.compare_digest(digest, one or _NOBODY) for one in hashes])


def digest_id(token: str) -> str:
    """The id of a bootstrap key, whose token may have any form."""
    digest = hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16, person=b"api key id").digest()
    return make_id("key", int.from_bytes(digest[:6], "big"), digest[6:])


def fresh_webhook_secret() -> str:
    """`whsec_` and 32 random bytes in base64 (Standard Webhooks asks for 24 to 64)."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
