"""The shapes of the native API, for /openapi.json and for the tests that hold real answers against them.

Handlers build their answers in `api.views` without these models: checking our own output on every request costs more
than the rest of it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from domain.budget import MAX_FLOPS, MAX_ROLLOUTS, MAX_SECONDS, MAX_TOKENS
from domain.job import HIGHEST_PRIORITY, LOWEST_PRIORITY
from domain.recipe import SPECS

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]

JobEventType = Literal["job.completed", "job.incomplete", "job.failed", "job.cancelled"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
StrategyName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(SPECS)})]
ConfidenceKind = Literal["agreement", "calibrated"]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class TextPart(Shape):
    type: Literal["text", "input_text"]
    text: str


class Budget(Shape):
    """Ceilings; a member that is null or left out is not limited."""

    tokens: int | None = Field(None, ge=1, le=MAX_TOKENS, description="Generated plus verified tokens.")
    flops: float | None = Field(None, gt=0, le=MAX_FLOPS, description="2 × parameters × tokens processed.")
    rollouts: int | None = Field(None, ge=1, le=MAX_ROLLOUTS, description="Policy calls that sample text.")
    seconds: float | None = Field(None, gt=0, le=MAX_SECONDS, description="Wall-clock since the job was first claimed.")


class StrategyChoice(BaseModel):
    """A strategy's name and those of its parameters that differ from the defaults (see /v1/reasoning/strategies)."""

    model_config = ConfigDict(extra="allow")
    name: StrategyName


class Submission(Shape):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"problem": "What is 17 * 23?", "strategy": "self_consistency", "budget": {"tokens": 20000}},
                {"problem": "What is 17 * 23?", "effort": "low", "confidence": 0.9},
                {"problem": "What is 17 * 23?", "effort": "high", "strategy": {"name": "adaptive", "temperature": 0.6}},
            ]
        },
    )
    problem: str | list[TextPart] = Field(description="The problem's text, or a list of text parts.")
    strategy: StrategyName | StrategyChoice | None = Field(None, description="A name, or an object with a name.")
    effort: Effort | None = Field(
        None,
        description="A preset of the adaptive strategy: how much it may spend and how sure it is to be. Parameters in"
        " `strategy` and the job's `confidence` win over it; another strategy beside it is refused.",
    )
    budget: Budget | None = None
    confidence: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Stop when the answer is this certain; a job that ends less certain is `incomplete`.",
    )
    webhook_url: str | None = Field(None, max_length=2048, description="Absolute http or https URL.")
    webhook_events: list[JobEventType] | None = Field(
        None, min_length=1, description="What `webhook_url` is to hear of; left out: every end."
    )
    metadata: dict[str, str] | None = Field(None, description="At most 16 pairs of strings.")
    labels: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = Field(
        None, max_length=16, description="Words to find jobs by."
    )
    deadline: float | str | None = Field(
        None,
        description="Unix seconds, or RFC 3339 with an offset: the job ends by then, with the best answer so far.",
    )
    deadline_seconds: float | None = Field(None, gt=0, description="The same, in seconds from now.")
    seed: int | None = Field(None, ge=0, le=2**63 - 1, description="Left out: one is drawn.")
    priority: int | None = Field(None, ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY)


class Usage(Shape):
    prompt_tokens: int
    generated_tokens: int
    verified_tokens: int
    cached_tokens: int = Field(description="Of these, read or written before by the same job: not in `flops`.")
    flops: float
    rollouts: int
    verifier_calls: int
    seconds: float = Field(description="Wall-clock since the first claim.")
    queue_seconds: float = Field(description="From creation to the first claim.")


class Candidate(Shape):
    answer: str
    votes: int
    weight: float


class JobFault(Shape):
    code: str
    message: str


class Job(Shape):
    id: str = Field(pattern="^job_")
    object: Literal["reasoning.job"]
    status: Status
    answer: str | None
    confidence: float | None = Field(description="How sure the answer is, 0 to 1; null before there is a verdict.")
    confidence_kind: ConfidenceKind | None = Field(
        description="calibrated: a fitted probability that the answer is right; agreement: the answer's share of the"
        " vote, since nothing was fitted for these models; null before there is a verdict."
    )
    stop_reason: str | None
    solution: str | None
    why: str | None
    candidates: list[Candidate]
    error: JobFault | None
    usage: Usage
    strategy: dict[str, Any]
    budget: Budget
    confidence_target: float | None
    seed: int
    priority: int
    metadata: dict[str, str]
    labels: list[str]
    deadline: float | None
    webhook_url: str | None
    webhook_events: list[str] | None = Field(description="null: all.")
    cancel_requested: bool
    queue_position: int | None = Field(description="0: next; null when not queued and in lists.")
    estimated_start_at: float | None = Field(
        description="When it may be claimed, by how fast jobs end; null when nobody can say, and in lists."
    )
    estimated_finish_at: float | None = Field(description="When it may have ended; never after its deadline.")
    created_at: float
    started_at: float | None
    ended_at: float | None
    status_url: str
    result_url: str
    trace_url: str
    events_url: str
    cancel_url: str


class JobList(Shape):
    object: Literal["list"]
    data: list[Job]
    has_more: bool
    last_id: str | None = Field(description="Pass it as `after` for the next page.")


class DeletedJob(Shape):
    id: str = Field(pattern="^job_")
    object: Literal["reasoning.job.deleted"]
    deleted: Literal[True]


class TraceEvent(BaseModel):
    """One event; the members beside these depend on its type."""

    model_config = ConfigDict(extra="allow", strict=True)
    seq: int
    at: float
    type: str


class TracePage(Shape):
    object: Literal["list"]
    data: list[TraceEvent]
    has_more: bool
    next_after: int = Field(description="Pass it as `after` for what comes next.")


class StrategyParameter(Shape):
    """In the words of JSON Schema."""

    type: Literal["integer", "number", "string"]
    default: int | float | str
    minimum: float | None = None
    maximum: float | None = None
    enum: list[str] | None = None
    words: list[str] | None = Field(None, description="Words that are taken in place of a number.")


class Strategy(Shape):
    name: str
    default: bool
    description: str
    parameters: dict[str, StrategyParameter]
    efforts: dict[Effort, dict[str, Any]] | None = Field(
        description="What each level of `effort` stands for; null for strategies that have no such levels."
    )


class StrategyList(Shape):
    object: Literal["list"]
    data: list[Strategy]


class WebhookSecret(Shape):
    object: Literal["webhook.secret"]
    secret: str = Field(pattern="^whsec_")


class Delivery(Shape):
    id: str = Field(pattern="^whd_")
    object: Literal["webhook.delivery"]
    job_id: str | None = Field(description="null for events of other things than jobs.")
    endpoint_id: str | None = Field(description="null for a job's own `webhook_url`.")
    event_type: str
    url: str
    status: Literal["pending", "delivered", "dead"]
    attempts: int
    next_attempt_at: float | None
    last_status_code: int | None
    last_error: str | None
    created_at: float
    delivered_at: float | None


class DeliveryList(Shape):
    object: Literal["list"]
    data: list[Delivery]


class Replay(Shape):
    id: str
    object: Literal["webhook.delivery"]
    status: Literal["pending"]


class ErrorMember(Shape):
    message: str
    type: str
    param: str | None
    code: str


class Problem(Shape):
    """RFC 9457, and the `error` member of OpenAI's API."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None
    error: ErrorMember
