"""The shapes of webhook endpoints: OpenAI's, and what we say beyond them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from api.schemas import Delivery, JobEventType, Shape

OpenAIEvent = Literal[
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.cancelled",
    "batch.completed",
    "batch.failed",
    "batch.expired",
    "batch.cancelled",
]
URL = (
    r"^https?://[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,20}[a-z0-9])?)*\.(com|org|net)(/[A-Za-z0-9._~-]*)*$"
)
"""What surely may be a webhook's URL; other public hosts may be, too."""
Url = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 2048,
            "anyOf": [{"pattern": URL}, {"pattern": "^[hH][tT][tT][pP][sS]?://\\S+$"}],
            "description": "Absolute http or https URL of a public host.",
        }
    ),
]
OpenAITypes = Annotated[list[OpenAIEvent], Field(min_length=1)]
JobTypes = Annotated[list[JobEventType], Field(min_length=1)]
TYPES = "OpenAI's types (`response.*`, `batch.*`) or ours (`job.*`), not both in one endpoint."
_EXAMPLE = {"name": "orders", "url": "https://example.com/hook", "event_types": ["response.completed", "batch.failed"]}


class EventTypeList(Shape):
    object: Literal["list"]
    data: list[str]


class NewEndpoint(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})
    name: str = Field(min_length=1, max_length=256)
    url: Url
    event_types: OpenAITypes | JobTypes = Field(description=TYPES)


class EndpointChange(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"event_types": ["job.completed"]}, {"enabled": True}]})
    name: str | None = Field(None, min_length=1, max_length=256)
    url: Url | None = None
    event_types: OpenAITypes | JobTypes | None = Field(None, description=TYPES)
    enabled: bool | None = None


class SecretRotation(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"keep_old_secret_active_for_24_hours": True}]})
    keep_old_secret_active_for_24_hours: bool | None = None


class TestRequest(Shape):
    __test__ = False
    model_config = ConfigDict(json_schema_extra={"examples": [{"event_type": "response.completed"}]})
    event_type: OpenAIEvent | JobEventType


class Endpoint(Shape):
    id: str = Field(pattern="^whe_")
    object: Literal["webhook_endpoint"]
    name: str
    url: str
    event_types: list[str]
    created_at: int
    updated_at: int
    signing_secret_hint: str
    enabled: bool
    disabled_reason: Literal["gone", "failing", "owner"] | None = Field(
        description="gone: it answered 410; failing: nothing arrived for 5 days; owner: by you."
    )
    failing_since: float | None = Field(description="The first failure after the last success.")


class EndpointWithSecret(Endpoint):
    signing_secret: str = Field(pattern="^whsec_", description="Shown here and never again.")


class EndpointList(Shape):
    object: Literal["list"]
    data: list[Endpoint]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedEndpoint(Shape):
    id: str
    object: Literal["webhook_endpoint.deleted"]
    deleted: Literal[True]


class TestResult(Shape):
    __test__ = False
    object: Literal["webhook_endpoint.test"]
    webhook_endpoint_id: str
    event_type: OpenAIEvent | JobEventType
    status_code: int
    success: Literal[True] = Field(description="The request was made; `status_code` says what came of it.")


class DeliveryPage(Shape):
    object: Literal["list"]
    data: list[Delivery]
    first_id: str | None
    last_id: str | None
    has_more: bool


class AttemptEntry(Shape):
    attempt: int
    at: float
    status_code: int | None
    error: str | None


class DeliveryDetail(Delivery):
    attempt_log: list[AttemptEntry] = Field(description="The latest 100 attempts, oldest first.")
