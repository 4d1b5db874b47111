"""Tenants, keys, usage and the audit log as JSON, in the shapes of `api.admin_schemas`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from api.views import moment
from storage.audit import AuditEntry
from storage.key_ring import KeyRecord
from storage.tenants import Tenant
from storage.usage import DayOfUse


def tenant_view(tenant: Tenant) -> dict[str, Any]:
    return {
        "id": tenant.id,
        "object": "tenant",
        "name": tenant.name,
        "created_at": moment(tenant.created_at),
        "limits": asdict(tenant.limits),
    }


def key_view(key: KeyRecord) -> dict[str, Any]:
    return {
        "id": key.id,
        "object": "api_key",
        "tenant_id": key.tenant_id,
        "label": key.label,
        "scopes": key.scopes,
        "source": key.source,
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "previous_until": moment(key.previous_until),
        "last_used_at": moment(key.last_used_at),
        "revoked_at": moment(key.revoked_at),
    }


def use_view(use: DayOfUse) -> dict[str, Any]:
    return {
        "tenant_id": use.tenant,
        "tenant": use.name,
        "day": use.day.isoformat(),
        "calls": use.calls,
        "cost": use.cost,
        **asdict(use.spend),
    }


def audit_view(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "object": "audit.entry",
        "at": moment(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "tenant_id": entry.tenant_id,
        "object_id": entry.object_id,
        "details": dict(entry.details),
    }
