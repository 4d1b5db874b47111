"""Tells a tenant's endpoints of events: one delivery for each that subscribed to the type, in the caller's transaction.

Law: an event is announced in the transaction that makes it true, so that it is neither lost nor told too early.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.fresh_ids import fresh_id
from storage.outbox import WEBHOOK_DUE, post

_SUBSCRIBERS = text(
    """
    SELECT id, tenant_id, url, event_types FROM webhook_endpoints
    WHERE tenant_id = ANY(CAST(:tenants AS text[])) AND event_types && CAST(:types AS text[]) AND disabled_at IS NULL
    ORDER BY id
    """
)
_DELIVER = text(
    """
    INSERT INTO webhook_deliveries (id, tenant_id, job_id, endpoint_id, event_type, url, body)
    SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:tenants AS text[]), CAST(:jobs AS text[]),
        CAST(:endpoints AS text[]), CAST(:types AS text[]), CAST(:urls AS text[]), CAST(:bodies AS bytea[]))
    """
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event of a tenant."""

    tenant: str
    type: str
    data: Mapping[str, Any]
    """`{"id": …}`, and more for our own types: OpenAI's have the id alone."""
    job: str | None = None
    """The job that it is about: its deliveries go with it."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One webhook to be sent."""

    tenant: str
    type: str
    url: str
    body: bytes
    job: str | None = None
    endpoint: str | None = None


async def announce(connection: AsyncConnection, announcements: Sequence[Announcement], now: datetime) -> None:
    """`now` is the database's clock; it becomes the events' `created_at`."""
    parcels = await subscribed(connection, announcements, now)
    await dispatch(connection, parcels)


async def subscribed(connection: AsyncConnection, announcements: Sequence[Announcement], now: datetime) -> list[Parcel]:
    """What the tenants' endpoints are to get. Endpoints of one tenant get the same event id."""
    if not announcements:
        return []
    tenants, types = {one.tenant for one in announcements}, {one.type for one in announcements}
    found = await connection.execute(_SUBSCRIBERS, {"tenants": list(tenants), "types": list(types)})
    endpoints = list(found)
    parcels = []
    for one in announcements:
        wanting = [row for row in endpoints if row.tenant_id == one.tenant and one.type in row.event_types]
        body = event_body(one.type, one.data, now) if wanting else b""
        parcels += [Parcel(one.tenant, one.type, row.url, body, one.job, row.id) for row in wanting]
    return parcels


async def dispatch(connection: AsyncConnection, parcels: Sequence[Parcel]) -> None:
    """Store the deliveries and ring for them."""
    if not parcels:
        return
    ids = [fresh_id("whd") for _ in parcels]
    values = {
        "ids": ids,
        "tenants": [parcel.tenant for parcel in parcels],
        "jobs": [parcel.job for parcel in parcels],
        "endpoints": [parcel.endpoint for parcel in parcels],
        "types": [parcel.type for parcel in parcels],
        "urls": [parcel.url for parcel in parcels],
        "bodies": [parcel.body for parcel in parcels],
    }
    await connection.execute(_DELIVER, values)
    await post(connection, WEBHOOK_DUE, ids)


def event_body(type: str, data: Mapping[str, Any], now: datetime) -> bytes:
    """The exact bytes that are signed and sent, at every attempt the same, in the shape of OpenAI's events."""
    body = {
        "id": fresh_id("evt"),
        "object": "event",
        "type": type,
        "created_at": int(now.timestamp()),
        "data": dict(data),
    }
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode("ascii")
