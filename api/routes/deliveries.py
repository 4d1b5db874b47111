"""Webhooks as their owner sees them: the signing secret, what was sent, and sending it once more."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api import schemas
from api.documented import body_of, errors
from api.endpoint_bodies import parse_overlap
from api.endpoint_schemas import SecretRotation
from api.idempotency import REPLAYED, OnceRoute, Trials
from api.json_body import read_object_or_nothing
from api.json_response import Json
from api.security import Caller
from api.services import services_of
from api.views import delivery_view

router = APIRouter(tags=["webhooks"], route_class=OnceRoute)


@router.get("/v1/webhook-secret", response_model=schemas.WebhookSecret, responses=errors())
async def secret(request: Request, caller: Caller) -> Json:
    """The secret that signs this tenant's webhooks (Standard Webhooks)."""
    return Json({"object": "webhook.secret", "secret": await services_of(request).tenant_secret.read(caller.tenant)})


@router.post(
    "/v1/webhook-secret/rotate",
    response_model=schemas.WebhookSecret,
    responses=errors(400, 408, 413, 415, 422),
    openapi_extra=body_of(SecretRotation, required=False),
)
async def rotate_secret(request: Request, caller: Caller, trial: Trials) -> Json:
    """A new secret for this tenant's webhooks. With overlap, deliveries carry a signature of each for 24 hours."""
    body = await read_object_or_nothing(request)
    value, replayed = await services_of(request).tenant_secret.rotate(
        caller.tenant, caller.key_id, overlap=parse_overlap(body), attempt=trial.of(body)
    )
    return Json({"object": "webhook.secret", "secret": value}, headers={REPLAYED: "true"} if replayed else None)


@router.get("/v1/reasoning/jobs/{job_id}/deliveries", response_model=schemas.DeliveryList, responses=errors(404))
async def deliveries(request: Request, caller: Caller, job_id: str) -> Json:
    """The webhook deliveries of a job and what came of them."""
    found = await services_of(request).deliveries.for_job(caller.tenant, job_id)
    return Json({"object": "list", "data": [delivery_view(delivery) for delivery in found]})


@router.post(
    "/v1/webhook-deliveries/{delivery_id}/replay",
    status_code=202,
    response_model=schemas.Replay,
    responses=errors(404),
)
async def replay(request: Request, caller: Caller, delivery_id: str) -> Json:
    """Send a delivery again, with the same id and body and a fresh schedule."""
    await services_of(request).deliveries.replay(caller.tenant, delivery_id)
    return Json({"id": delivery_id, "object": "webhook.delivery", "status": "pending"}, 202)
