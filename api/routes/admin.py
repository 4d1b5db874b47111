"""The operator's routes: tenants, usage and the audit log of the whole service. They need the scope `admin`."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator

from api import admin_body
from api import admin_schemas as schemas
from api.admin_views import audit_view, tenant_view, use_view
from api.documented import BODY_ERRORS, body_of, errors
from api.idempotency import REPLAYED, OnceRoute, Trials
from api.json_body import read_object
from api.json_response import Json
from api.security import Caller
from api.services import services_of
from api.times import parse_day

router = APIRouter(tags=["operation"], route_class=OnceRoute)

Day = Annotated[date, BeforeValidator(parse_day)]
TenantFilter = Annotated[str | None, Query(description="Id or name of a tenant; left out: all.", max_length=64)]


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
    openapi_extra=body_of(schemas.NewTenant),
)
async def create_tenant(request: Request, caller: Caller, trial: Trials) -> Json:
    """A new tenant."""
    body, _ = await read_object(request)
    limits = admin_body.limits(body, "name")
    store = services_of(request).tenants
    tenant, replayed = await store.create(admin_body.tenant_name(body), limits, caller.key_id, trial.of(body))
    return Json(tenant_view(tenant), 201, {REPLAYED: "true"} if replayed else {})


@router.get("/v1/admin/tenants/{tenant}", response_model=schemas.Tenant, responses=errors(404))
async def tenant(request: Request, caller: Caller, tenant: str) -> Json:
    """A tenant, by id or name."""
    return Json(tenant_view(await services_of(request).tenants.get(tenant)))


@router.post(
    "/v1/admin/tenants/{tenant}",
    response_model=schemas.Tenant,
    responses=BODY_ERRORS,
    openapi_extra=body_of(schemas.TenantChange),
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
    """Erase a tenant with its keys, jobs and everything else. Refused while its jobs run, and for the caller's own."""
    services = services_of(request)
    gone = await services.tenants.delete(tenant, caller.key_id, caller.tenant)
    services.authenticator.forget()
    return Json({"id": gone, "object": "tenant.deleted", "deleted": True})


@router.get("/v1/admin/usage", response_model=schemas.UsageList, responses=errors(404, 422))
async def usage(request: Request, caller: Caller, tenant: TenantFilter = None, since: Day | None = None) -> Json:
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
async def own_usage(request: Request, caller: Caller, since: Day | None = None) -> Json:
    """What the caller's own tenant used, by UTC day, from the day `since` on."""
    days = await services_of(request).usage.days(tenant=caller.tenant, since=since)
    return Json({"object": "list", "data": [use_view(day) for day in days]})
