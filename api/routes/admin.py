"""The operator's routes: tenants, keys, usage and the audit log of the whole service. They need the scope `admin`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from api import admin_body
from api import admin_schemas as schemas
from api.admin_views import audit_view, key_view, tenant_view, use_view
from api.documented import errors
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
BODY_ERRORS = errors(400, 404, 408, 413, 415, 422)


def _body(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"requestBody": {"required": True, "content": content}}


@router.get("/v1/admin/tenants", response_model=schemas.TenantList, responses=errors())
async def tenants(request: Request, caller: Caller) -> Json:
    """All tenants with their limits."""
    found = await services_of(request).tenants.all()
    return Json({"object": "list", "data": [tenant_view(tenant) for tenant in found]})


@router.post(
    "/v1/admin/tenants",
    status_code=201,
    response_model=schemas.Tenant,
    responses=BODY_ERRORS,
    openapi_extra=_body("NewTenant"),
)
async def create_tenant(request: Request, caller: Caller, trial: Trials) -> Json:
    """A new tenant."""
    body, _ = await read_object(request)
    limits = admin_body.limits(body, "name")
    store = services_of(request).tenants
    tenant, replayed = await store.create(admin_body.tenant_name(body), limits, caller.key_id, trial.of(body))
    return Json(tenant_view(tenant), 201, _replayed(replayed))


@router.get("/v1/admin/tenants/{tenant}", response_model=schemas.Tenant, responses=errors(404))
async def tenant(request: Request, caller: Caller, tenant: str) -> Json:
    """A tenant, by id or name."""
    return Json(tenant_view(await services_of(request).tenants.get(tenant)))


@router.post(
    "/v1/admin/tenants/{tenant}",
    response_model=schemas.Tenant,
    responses=BODY_ERRORS,
    openapi_extra=_body("TenantChange"),
)
async def set_tenant(request: Request, caller: Caller, tenant: str) -> Json:
    """Change the limits that are given; they hold everywhere within seconds."""
    body, _ = await read_object(request)
    services = services_of(request)
    changed = await services.tenants.set(tenant, admin_body.limits(body), caller.key_id)
    services.authenticator.forget()
    return Json(tenant_view(changed))


@router.delete("/v1/admin/tenants/{tenant}", response_model=schemas.DeletedTenant, responses=errors(404, 422))
async def delete_tenant(request: Request, caller: Caller, tenant: str) -> Json:
    """Erase a tenant with its keys, jobs and everything else. Refused while jobs of it run."""
    services = services_of(request)
    gone = await services.tenants.delete(tenant, caller.key_id)
    services.authenticator.forget()
    return Json({"id": gone, "object": "tenant.deleted", "deleted": True})


@router.get("/v1/admin/keys", response_model=schemas.KeyList, responses=errors(404))
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
    openapi_extra=_body("NewKey"),
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
    openapi_extra=_body("Rotation"),
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


@router.delete("/v1/admin/keys/{key_id}", response_model=schemas.Key, responses=errors(404))
async def revoke_key(request: Request, caller: Caller, key_id: str) -> Json:
    """End a key: in every process within seconds."""
    services = services_of(request)
    key = await services.key_ring.revoke(key_id, caller.key_id)
    services.authenticator.forget()
    return Json(key_view(key))


@router.get("/v1/admin/usage", response_model=schemas.UsageList, responses=errors(404, 422))
async def usage(request: Request, caller: Caller, tenant: TenantFilter = None, since: date | None = None) -> Json:
    """What was used, by tenant and UTC day, from the day `since` on."""
    services = services_of(request)
    owner = None if tenant is None else (await services.tenants.get(tenant)).id
    days = await services.usage.days(tenant=owner, since=since)
    return Json({"object": "list", "data": [use_view(day) for day in days]})


@router.get("/v1/admin/audit", response_model=schemas.AuditPage, responses=errors(422))
async def audit(
    request: Request,
    caller: Caller,
    tenant: Annotated[str | None, Query(description="A tenant's id, also of one that is gone.", max_length=64)] = None,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="The last id of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Json:
    """Who did what, newest first."""
    entries, has_more = await services_of(request).audit.page(tenant=tenant, before=before, limit=limit)
    return Json({"object": "list", "data": [audit_view(entry) for entry in entries], "has_more": has_more})


@router.get("/v1/usage", response_model=schemas.UsageList, responses=errors(422))
async def own_usage(request: Request, caller: Caller, since: date | None = None) -> Json:
    """What the caller's own tenant used, by UTC day, from the day `since` on."""
    days = await services_of(request).usage.days(tenant=caller.tenant, since=since)
    return Json({"object": "list", "data": [use_view(day) for day in days]})


async def _owner(services: Services, tenant: object) -> TenantId:
    if not isinstance(tenant, str):
        raise InvalidRequest("tenant must be the id or name of a tenant", param="tenant")
    return (await services.tenants.get(tenant)).id


def _with_token(key: KeyRecord, token: str | None, status: int) -> Json:
    return Json(key_view(key) | {"token": token}, status, _replayed(token is None))


def _replayed(replayed: bool) -> dict[str, str]:
    return {REPLAYED: "true"} if replayed else {}
