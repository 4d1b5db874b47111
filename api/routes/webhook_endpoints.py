"""/v1/webhook_endpoints as OpenAI's client (3.x) calls it, with a delivery log beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from api import endpoint_schemas as shapes
from api.documented import body_of, errors
from api.endpoint_bodies import parse_change, parse_new_endpoint, parse_overlap, parse_test
from api.facade.errors import FacadeRoute
from api.idempotency import REPLAYED, Trials
from api.json_body import read_object, read_object_or_nothing
from api.json_response import Json
from api.problems import HttpProblem
from api.security import Caller
from api.services import services_of
from api.views import delivery_view, endpoint_view, moment
from domain.ids import id_pattern
from domain.webhook_events import EVENT_TYPES
from storage.announcing import event_body
from storage.endpoints import PREFIX
from storage.fresh_ids import fresh_id

router = APIRouter(tags=["webhooks"], route_class=FacadeRoute)

ENDPOINTS = "/v1/webhook_endpoints"
ONE = ENDPOINTS + "/{webhook_endpoint_id}"
BODY = errors(400, 408, 413, 415)
BODY_OF_ONE = errors(400, 404, 408, 413, 415)

After = Annotated[str | None, Query(description="The last id of the page before.", pattern=id_pattern(PREFIX))]
AfterDelivery = Annotated[str | None, Query(description="The last id of the page before.", pattern=id_pattern("whd"))]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.get("/v1/webhook_event_types", response_model=shapes.EventTypeList, responses=errors())
async def event_types(caller: Caller) -> Json:
    """The event types that an endpoint can subscribe to."""
    return Json({"object": "list", "data": list(EVENT_TYPES)})


@router.post(
    ENDPOINTS, response_model=shapes.EndpointWithSecret, responses=BODY, openapi_extra=body_of(shapes.NewEndpoint)
)
async def create(request: Request, caller: Caller, trial: Trials) -> Json:
    """Subscribe a URL to events. The signing secret is shown here and never again."""
    services = services_of(request)
    body, _ = await read_object(request)
    name, url, types = parse_new_endpoint(body, services.settings.webhook_allowed_networks)
    endpoint, replayed = await services.endpoints.create(caller.tenant, name, url, types, trial.of(body))
    return Json(endpoint_view(endpoint, with_secret=True), 200, {REPLAYED: "true"} if replayed else {})


@router.get(ENDPOINTS, response_model=shapes.EndpointList, responses=errors(400))
async def page(request: Request, caller: Caller, after: After = None, limit: Limit = 20) -> Json:
    """The caller's endpoints, newest first."""
    found, has_more = await services_of(request).endpoints.page(caller.tenant, after=after, limit=limit)
    return _list([endpoint_view(endpoint) for endpoint in found], has_more)


@router.get(ONE, response_model=shapes.Endpoint, responses=errors(404))
async def retrieve(request: Request, caller: Caller, webhook_endpoint_id: str) -> Json:
    """One endpoint, without its secret."""
    return Json(endpoint_view(await services_of(request).endpoints.get(caller.tenant, webhook_endpoint_id)))


@router.post(ONE, response_model=shapes.Endpoint, responses=BODY_OF_ONE, openapi_extra=body_of(shapes.EndpointChange))
async def update(request: Request, caller: Caller, webhook_endpoint_id: str) -> Json:
    """Change what the body names. `enabled: true` also takes an endpoint back that was disabled for its failures."""
    services = services_of(request)
    body, _ = await read_object(request)
    change = parse_change(body, services.settings.webhook_allowed_networks)
    endpoint = await services.endpoints.update(
        caller.tenant,
        webhook_endpoint_id,
        name=change.name,
        url=change.url,
        event_types=change.event_types,
        enabled=change.enabled,
    )
    return Json(endpoint_view(endpoint))


@router.delete(ONE, response_model=shapes.DeletedEndpoint, responses=errors(404))
async def delete(request: Request, caller: Caller, webhook_endpoint_id: str) -> Json:
    """Delete an endpoint, its delivery log and what was still to be sent to it."""
    await services_of(request).endpoints.delete(caller.tenant, webhook_endpoint_id)
    return Json({"id": webhook_endpoint_id, "object": "webhook_endpoint.deleted", "deleted": True})


@router.post(
    ONE + "/rotate_secret",
    response_model=shapes.EndpointWithSecret,
    responses=BODY_OF_ONE,
    openapi_extra=body_of(shapes.SecretRotation, required=False),
)
async def rotate_secret(request: Request, caller: Caller, webhook_endpoint_id: str, trial: Trials) -> Json:
    """A new signing secret, shown once. With overlap, deliveries carry a signature of each for 24 hours."""
    body = await read_object_or_nothing(request)
    endpoint, replayed = await services_of(request).endpoints.rotate(
        caller.tenant, webhook_endpoint_id, overlap=parse_overlap(body), attempt=trial.of(body)
    )
    return Json(endpoint_view(endpoint, with_secret=True), 200, {REPLAYED: "true"} if replayed else {})


@router.post(
    ONE + "/test", response_model=shapes.TestResult, responses=BODY_OF_ONE, openapi_extra=body_of(shapes.TestRequest)
)
async def test(request: Request, caller: Caller, webhook_endpoint_id: str) -> Json:
    """Send a sample event now and say what the endpoint answered. It is not retried and not in the log."""
    services = services_of(request)
    body, _ = await read_object(request)
    kind = parse_test(body)
    endpoint = await services.endpoints.get(caller.tenant, webhook_endpoint_id)
    attempt = await services.sender.send(
        id=fresh_id("whd"),
        url=endpoint.url,
        body=event_body(kind, {"id": f"{kind.split('.')[0]}_test"}, datetime.now(UTC)),
        secret=endpoint.secret,
        previous_secret=endpoint.previous_secret,
    )
    if attempt.status_code is None:
        # Not a 5xx, which clients would repeat: it is their endpoint that does not answer.
        message = f"The endpoint gave no answer: {attempt.error}."
        raise HttpProblem(422, "webhook_unreachable", message, headers={"x-should-retry": "false"})
    return Json(
        {
            "object": "webhook_endpoint.test",
            "webhook_endpoint_id": endpoint.id,
            "event_type": kind,
            "status_code": attempt.status_code,
            "success": True,
        }
    )


@router.get(ONE + "/deliveries", response_model=shapes.DeliveryPage, responses=errors(400, 404))
async def deliveries(
    request: Request,
    caller: Caller,
    webhook_endpoint_id: str,
    status: Literal["pending", "delivered", "dead"] | None = None,
    after: AfterDelivery = None,
    limit: Limit = 20,
) -> Json:
    """What was sent to an endpoint, newest first."""
    found, has_more = await services_of(request).delivery_log.for_endpoint(
        caller.tenant, webhook_endpoint_id, state=status, after=after, limit=limit
    )
    return _list([delivery_view(delivery) for delivery in found], has_more)


@router.get("/v1/webhook-deliveries/{delivery_id}", response_model=shapes.DeliveryDetail, responses=errors(404))
async def delivery(request: Request, caller: Caller, delivery_id: str) -> Json:
    """One delivery and what came of every attempt."""
    found, attempts = await services_of(request).delivery_log.get(caller.tenant, delivery_id)
    log = [
        {"attempt": one.attempt, "at": moment(one.at), "status_code": one.status_code, "error": one.error}
        for one in attempts
    ]
    return Json(delivery_view(found) | {"attempt_log": log})


def _list(data: list[dict[str, object]], has_more: bool) -> Json:
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return Json({"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": has_more})
