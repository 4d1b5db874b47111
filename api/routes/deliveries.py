"""Webhooks as their owner sees them: the signing secret, what was sent, and sending it once more."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api import schemas
from api.documented import errors
from api.idempotency import OnceRoute
from api.json_response import Json
from api.security import Caller
from api.services import services_of
from api.views import delivery_view

router = APIRouter(tags=["webhooks"], route_class=OnceRoute)


@router.get("/v1/webhook-secret", response_model=schemas.WebhookSecret, responses=errors())
async def secret(request: Request, caller: Caller) -> Json:
    """The secret that signs this tenant's webhooks (Standard Webhooks)."""
    value = await services_of(request).keys.webhook_secret(caller.tenant)
    return Json({"object": "webhook.secret", "secret": value})


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
