"""The shapes of files and batches, for /openapi.json and for the tests that hold real answers against them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.schemas import Budget, Effort, Shape, StrategyChoice, StrategyName
from domain.batch import MAX_LINES
from domain.budget import MAX_FLOPS, MAX_ROLLOUTS, MAX_TOKENS
from domain.ids import id_pattern

Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]
Endpoint = Literal["/v1/responses", "/v1/chat/completions", "/v1/reasoning/jobs"]


class File(Shape):
    id: str = Field(pattern="^file_")
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: Literal["batch", "batch_output"]
    status: Literal["processed"]
    status_details: None


class FileList(Shape):
    object: Literal["list"]
    data: list[File]
    has_more: bool
    first_id: str | None
    last_id: str | None


class FileDeleted(Shape):
    id: str
    object: Literal["file"]
    deleted: Literal[True]


class Expiry(Shape):
    anchor: Literal["created_at"]
    seconds: int = Field(ge=3600, le=2_592_000)


class LineFault(Shape):
    code: str
    message: str
    param: str | None
    line: int | None = Field(description="From 1; null when it is about the whole file.")


class LineFaults(Shape):
    object: Literal["list"]
    data: list[LineFault]


class RequestCounts(Shape):
    total: int
    completed: int
    failed: int


class InputDetails(Shape):
    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(Shape):
    reasoning_tokens: int


class OpenAIUsage(Shape):
    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class BatchBudget(Shape):
    """Of all lines together; time is bounded by `completion_window`."""

    tokens: int | None = Field(None, ge=1, le=MAX_TOKENS)
    flops: float | None = Field(None, gt=0, le=MAX_FLOPS)
    rollouts: int | None = Field(None, ge=1, le=MAX_ROLLOUTS)


class BatchCreation(Shape):
    """A batch over an uploaded file. Members beyond OpenAI's are ours."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "input_file_id": "file_01k9x4w2m3e8r7t6y5h4g3f2d1",
                    "endpoint": "/v1/responses",
                    "completion_window": "24h",
                    "budget": {"tokens": 5_000_000},
                }
            ]
        }
    )
    input_file_id: str = Field(pattern=id_pattern("file"))
    endpoint: Endpoint | None = Field(None, description="Needed at /v1/batches.")
    completion_window: str = Field("24h", pattern="^[1-9][0-9]{0,6}[smhd]$", description="A time from 1m to 30d.")
    metadata: dict[str, str] | None = None
    output_expires_after: Expiry | None = None
    strategy: StrategyName | StrategyChoice | None = Field(None, description="Of lines that name none.")
    effort: Effort | None = Field(None, description="Of lines that name neither a strategy nor an effort.")
    confidence: float | None = Field(None, ge=0, le=1)
    job_budget: Budget | None = Field(None, description="Of each line that has no budget of its own.")
    budget: BatchBudget | None = None
    on_invalid_line: Literal["skip", "fail"] = "skip"
    priority: int | None = Field(None, ge=-100, le=100, description="Left out: behind single jobs.")


class Batch(Shape):
    id: str = Field(pattern="^batch_")
    object: Literal["batch"]
    endpoint: Endpoint
    errors: LineFaults | None
    input_file_id: str
    completion_window: str
    status: Status
    output_file_id: str | None = Field(description="It grows while the batch runs.")
    error_file_id: str | None
    created_at: int
    expires_at: int
    in_progress_at: int | None
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    usage: OpenAIUsage
    metadata: dict[str, str]


class BatchList(Shape):
    object: Literal["list"]
    data: list[Batch]
    has_more: bool
    first_id: str | None
    last_id: str | None


class BatchDeleted(Shape):
    id: str
    object: Literal["reasoning.batch"]
    deleted: Literal[True]


class Counts(Shape):
    """Always: total = waiting + running + completed + failed."""

    total: int
    waiting: int
    running: int
    completed: int
    failed: int
    invalid: int = Field(description="Lines that could not be run; they are among the failed.")
    written: int = Field(description="Lines that are in the output or the error file.")


class BatchUsage(Shape):
    prompt_tokens: int
    generated_tokens: int
    verified_tokens: int
    cached_tokens: int = Field(description="Of these, read or written before by the same line: not in `flops`.")
    flops: float
    rollouts: int
    verifier_calls: int
    seconds: float = Field(description="Since the lines began to run.")


class Estimate(Shape):
    """By the mean of the lines so far."""

    seconds_left: float | None
    tokens: int | None = Field(description="Of the whole batch at its end.")
    flops: float | None


class ReasoningBatch(Shape):
    id: str = Field(pattern="^batch_")
    object: Literal["reasoning.batch"]
    status: Status
    paused: bool
    endpoint: Endpoint
    input_file_id: str
    output_file_id: str | None
    error_file_id: str | None
    counts: Counts
    usage: BatchUsage
    estimate: Estimate
    budget: Budget
    defaults: dict[str, Any]
    on_invalid_line: Literal["skip", "fail"]
    priority: int
    completion_window: str
    errors: list[LineFault]
    metadata: dict[str, str]
    created_at: float
    expires_at: float
    in_progress_at: float | None
    finalizing_at: float | None
    completed_at: float | None
    failed_at: float | None
    expired_at: float | None
    cancelling_at: float | None
    cancelled_at: float | None
    status_url: str
    results_url: str
    cancel_url: str


class ReasoningBatchList(Shape):
    object: Literal["list"]
    data: list[ReasoningBatch]
    has_more: bool
    last_id: str | None


class Result(Shape):
    """What became of one line."""

    line: int = Field(ge=1, le=MAX_LINES)
    custom_id: str | None
    job_id: str | None
    status: Literal["completed", "incomplete", "failed", "cancelled", "invalid", "erased"]
    answer: str | None
    confidence: float | None
    stop_reason: str | None
    generated_tokens: int | None
    verified_tokens: int | None
    flops: float | None
    rollouts: int | None
    error_code: str | None
    error: str | None


class ResultPage(Shape):
    object: Literal["list"]
    data: list[Result]
    has_more: bool = Field(description="There are more results now; more may come while the batch runs.")
    next_after: int = Field(description="Pass it as `after` for the next page.")
