"""The operator's routes for API keys. They need the scope `admin`; a secret is in the answer that makes it, once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from api import admin_body
from api import admin_schemas as schemas
from api.admin_views import key_view
from api.documented import BODY_ERRORS, body_of, errors
from api.idempotency import REPLAYED, OnceRoute, Trials
from api.json_body import read_object
from api.json_response import Json
from api.security import Caller
from api.services import Services, services_of
from domain.errors import InvalidRequest
from domain.ids import TenantId
from storage.key_ring import KeyRecord

router = APIRouter(tags=["operation"], route_class=OnceRoute)

TenantFilter = Annotated[str | None, Query(description="Id or name of a tenant; left out: all.", max_length=64)]


@router.get("/v1/admin/keys", response_model=schemas.KeyList, responses=errors(404, 422))
async def keys(request: Request, caller: Caller, tenant: TenantFilter = None) -> Json:
    """All keys, revoked ones too; never a secret."""
    services = services_of(request)
    owner = None if tenant is None else (await services.tenants.get(tenant)).id
    return Json({"object": "list", "data": [key_view(key) for key in await services.key_ring.all(owner)]})


@router.post(
    "/v1/admin/keys",
    status_code=201,
    response_model=schemas.SecretKey,
    responses=BODY_ERRORS,
    openapi_extra=body_of(schemas.NewKey),
)
async def create_key(request: Request, caller: Caller, trial: Trials) -> Json:
    """A new key. `token` is shown here and never again."""
    body, _ = await read_object(request)
    admin_body.refuse_unknown(body, ("label", "tenant", "scopes", "expires_in_s"))
    services = services_of(request)
    owner = await _owner(services, body.get("tenant", "default"))
    expires_in_s = admin_body.seconds(body, "expires_in_s", admin_body.LONGEST_S, None)
    key, token = await services.key_ring.create(
        owner, admin_body.label(body), admin_body.scopes(body), expires_in_s, caller.key_id, trial.of(body)
    )
    return _with_token(key, token, 201)


@router.post(
    "/v1/admin/keys/{key_id}/rotate",
    response_model=schemas.SecretKey,
    responses=BODY_ERRORS,
    openapi_extra=body_of(schemas.Rotation),
)
async def rotate_key(request: Request, caller: Caller, key_id: str, trial: Trials) -> Json:
    """A new secret for a key; the old one works for `overlap_s` more."""
    body, _ = await read_object(request)
    admin_body.refuse_unknown(body, ("overlap_s",))
    overlap_s = admin_body.seconds(body, "overlap_s", admin_body.LONGEST_OVERLAP_S, admin_body.DEFAULT_OVERLAP_S)
    services = services_of(request)
    key, token = await services.key_ring.rotate(key_id, overlap_s or 0.0, caller.key_id, trial.of(body))
    services.authenticator.forget()
    return _with_token(key, token, 200)


@router.delete("/v1/admin/keys/{key_id}", response_model=schemas.Key, responses=errors(404, 422))
async def revoke_key(request: Request, caller: Caller, key_id: str) -> Json:
    """End a key: in every process within seconds. Refused for the key that asks."""
    services = services_of(request)
    key = await services.key_ring.revoke(key_id, caller.key_id)
    services.authenticator.forget()
    return Json(key_view(key))


async def _owner(services: Services, tenant: object) -> TenantId:
    if not isinstance(tenant, str):
        raise InvalidRequest("tenant must be the id or name of a tenant", param="tenant")
    return (await services.tenants.get(tenant)).id


def _with_token(key: KeyRecord, token: str | None, status: int) -> Json:
    return Json(key_view(key) | {"token": token}, status, {REPLAYED: "true"} if token is None else {})
