"""What makes two HTTP requests one: the same Idempotency-Key, or a retry that its client marks as one.

A creation takes its attempt in the transaction that creates (`storage.idempotency.take`), so that an answer that was
lost after COMMIT is found again by whoever asks once more.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.ids import TenantId

MOST_RETRIES = 32_767
KEY_PATTERN = r'^(?:"([\x20\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255}))$'
"""The header Idempotency-Key: quoted, or bare (draft-ietf-httpapi-idempotency-key-header)."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a POST."""

    tenant: TenantId
    operation: str
    """Method and route, such as `POST /v1/reasoning/jobs`."""
    request_hash: str
    """Equal for bodies that mean the same."""
    key: str | None = None
    """Of the header Idempotency-Key, without quotes."""
    retry: int = 0
    """0: a first attempt; from 1 on: the client says that it repeats a request whose answer it did not get."""
