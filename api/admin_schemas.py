"""The shapes of the operator's routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema

from api.admin_body import DEFAULT_OVERLAP_S, LONGEST_LABEL, LONGEST_OVERLAP_S, LONGEST_S
from api.schemas import Shape
from domain.limits import MAX_WEIGHT
from domain.scopes import ADMIN, SCOPES

_NONE = "null: no limit."
_TENANT: dict[str, JsonValue] = {"name": "acme", "weight": 2, "requests_per_minute": 600}
_KEY: dict[str, JsonValue] = {"label": "pipeline", "tenant": "default", "scopes": ["jobs:read", "jobs:write"]}


class TenantLimits(Shape):
    weight: float = Field(1.0, gt=0, le=MAX_WEIGHT, description="Share of slots and search steps.")
    max_running: int | None = Field(None, ge=0, description=f"Jobs in progress at once; more wait. {_NONE}")
    max_queued: int | None = Field(None, ge=0, description=f"Waiting jobs; more are refused (429). {_NONE}")
    tokens_per_day: int | None = Field(None, ge=0, description=f"Generated plus verified, by UTC day. {_NONE}")
    cost_per_day: float | None = Field(None, ge=0, description=f"Money, where prices are set. {_NONE}")
    requests_per_minute: int | None = Field(None, ge=1, description=_NONE)
    retention_days: int | None = Field(None, ge=0, description="Ended jobs are erased after so many days. null: never.")


class TenantChange(TenantLimits):
    pass


class NewTenant(TenantLimits):
    model_config = ConfigDict(json_schema_extra={"examples": [_TENANT]})
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")


class Tenant(Shape):
    id: str = Field(pattern="^ten_")
    object: Literal["tenant"]
    name: str
    created_at: float
    limits: TenantLimits


class TenantList(Shape):
    object: Literal["list"]
    data: list[Tenant]


class DeletedTenant(Shape):
    id: str
    object: Literal["tenant.deleted"]
    deleted: Literal[True]


Scope = Annotated[str, WithJsonSchema({"type": "string", "enum": list(SCOPES)})]


class NewKey(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [_KEY]})
    label: str = Field(min_length=1, max_length=LONGEST_LABEL)
    tenant: str = Field("default", description="Id or name.")
    scopes: list[Scope] | None = Field(None, min_length=1, description=f"Left out: all but {ADMIN}.")
    expires_in_s: float | None = Field(None, ge=0, le=LONGEST_S)


class Rotation(Shape):
    overlap_s: float | None = Field(
        DEFAULT_OVERLAP_S, ge=0, le=LONGEST_OVERLAP_S, description="So long the old secret works too."
    )


class Key(Shape):
    id: str = Field(pattern="^key_")
    object: Literal["api_key"]
    tenant_id: str
    label: str
    scopes: list[str]
    source: Literal["created", "environment", "home"]
    created_at: float
    expires_at: float | None
    previous_until: float | None = Field(description="Until then the secret before the last rotation works too.")
    last_used_at: float | None
    revoked_at: float | None


class SecretKey(Key):
    token: str | None = Field(description="Shown once; null when the request is a repetition.")


class KeyList(Shape):
    object: Literal["list"]
    data: list[Key]


class DayOfUse(Shape):
    tenant_id: str
    tenant: str | None = Field(description="Its name; null when the tenant is gone.")
    day: str = Field(description="In UTC, such as 2026-11-20.")
    calls: int
    cost: float = Field(description="At the prices of the moment; 0 where none are set.")
    prompt_tokens: int
    generated_tokens: int
    verified_tokens: int
    flops: float
    rollouts: int
    verifier_calls: int
    cached_prompt_tokens: int = Field(description="Read or written before by the same job: not in `flops`.")
    cached_verified_tokens: int


class UsageList(Shape):
    object: Literal["list"]
    data: list[DayOfUse]


class AuditEntry(Shape):
    id: int
    object: Literal["audit.entry"]
    at: float
    actor: str = Field(description="The id of a key, or `service`.")
    action: str
    tenant_id: str | None
    object_id: str | None
    details: dict[str, Any]


class AuditPage(Shape):
    object: Literal["list"]
    data: list[AuditEntry]
    has_more: bool
