"""The shapes of the OpenAI-compatible routes, for /openapi.json and for the tests that hold real answers against them.

Only what this service takes stands here; what it ignores for the sake of other clients is in `api.facade.parameters`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, create_model

from api.schemas import Budget, Candidate, Effort, Shape, Status, Submission, Usage
from domain.facade.wishes import MOST_CHOICES

Role = Literal["user", "assistant", "system", "developer"]
Verbosity = Literal["low", "medium", "high"]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, Field(max_length=512)]
Metadata = Annotated[dict[Name, Text], Field(description="At most 16 pairs of strings.", max_length=16)]
SAID_OTHERWISE = ("problem", "effort", "metadata")


class Loose(Shape):
    """What clients send within a member may have more than is read: newer versions do."""

    model_config = ConfigDict(extra="ignore")


class InputText(Loose):
    type: Literal["input_text", "output_text", "text"]
    text: str


class InputMessage(Loose):
    type: Literal["message"] = "message"
    role: Role
    content: str | list[InputText]


class ReasoningRequest(Loose):
    effort: Effort | None = Field(None, description="How much may be spent and how sure the answer is to be.")
    summary: Literal["auto", "concise", "detailed"] | None = Field(
        None, description="Any of these: the chosen chain of steps becomes an output item."
    )


class TextFormat(Loose):
    type: Literal["text"]


class TextRequest(Loose):
    format: TextFormat | None = None
    verbosity: Verbosity | None = Field(None, description="low: the answer alone, without its solution.")


Own = create_model(
    "Own",
    __base__=Shape,
    __doc__="Members of a native job that OpenAI's API has no word for.",
    **{name: (item.annotation, item) for name, item in Submission.model_fields.items() if name not in SAID_OTHERWISE},
)  # type: ignore[call-overload]


class _Request(Shape):
    model: str | None = Field(None, min_length=1, description="A name of GET /v1/models; left out: `deliberate`.")
    metadata: Metadata | None = None
    temperature: float | None = Field(None, ge=0, le=2, description="0: the same answer to the same request.")
    top_p: float | None = Field(None, ge=0.01, le=1)
    store: bool | None = Field(None, description="false: nobody can read it later, and the job is erased.")
    stream: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    deliberate: Own | None = None  # type: ignore[valid-type]


class ResponseRequest(_Request):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "deliberate", "input": "What is 17 * 23?", "background": True},
                {"model": "deliberate-high", "input": "What is 17 * 23?", "reasoning": {"summary": "auto"}},
            ]
        }
    )
    input: str | list[InputMessage]
    instructions: str | None = None
    background: bool | None = Field(None, description="Answer at once; read the response later.")
    max_output_tokens: int | None = Field(None, ge=1, le=10**9, description="Generated and verified tokens.")
    previous_response_id: str | None = Field(None, pattern="^resp_", description="Go on from an ended response.")
    reasoning: ReasoningRequest | None = None
    text: TextRequest | None = None


class ChatMessage(Loose):
    role: Role
    content: str | list[InputText]


class StreamOptions(Loose):
    include_usage: bool | None = None


class ChatRequest(_Request):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "deliberate", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}]
        }
    )
    messages: list[ChatMessage] = Field(min_length=1)
    n: int | None = Field(None, ge=1, le=MOST_CHOICES, description="Solutions of the one search; the best is first.")
    max_completion_tokens: int | None = Field(None, ge=1, le=10**9, description="Generated and verified tokens.")
    reasoning_effort: Effort | None = None
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    verbosity: Verbosity | None = None
    stream_options: StreamOptions | None = None


class OutputText(Shape):
    type: Literal["output_text"]
    text: str
    annotations: list[Any]
    logprobs: list[Any]


class PartOfInput(Shape):
    type: Literal["input_text"]
    text: str


class Message(Shape):
    id: str = Field(pattern="^msg_")
    type: Literal["message"]
    role: Role
    status: Literal["in_progress", "completed", "incomplete"]
    content: list[OutputText | PartOfInput]


class SummaryText(Shape):
    type: Literal["summary_text"]
    text: str


class ReasoningItem(Shape):
    id: str = Field(pattern="^rs_")
    type: Literal["reasoning"]
    status: Literal["in_progress", "completed", "incomplete"]
    summary: list[SummaryText] = Field(description="The steps of the chosen solution.")


class ResponseFault(Shape):
    code: Literal["server_error"]
    message: str


class IncompleteDetails(Shape):
    reason: Literal["max_output_tokens"]


class InputTokens(Shape):
    cached_tokens: int
    cache_write_tokens: int


class OutputTokens(Shape):
    reasoning_tokens: int = Field(description="All output tokens but those of the solutions that are shown.")


class ResponseUsage(Shape):
    input_tokens: int = Field(description="What the policy was given to read, over all calls.")
    input_tokens_details: InputTokens
    output_tokens: int = Field(description="What the policy wrote and the verifier read.")
    output_tokens_details: OutputTokens
    total_tokens: int


class ReasoningEcho(Shape):
    effort: Effort | None
    summary: str | None


class TextEcho(Shape):
    format: TextFormat
    verbosity: Verbosity


class OwnView(Shape):
    """What OpenAI's API has no word for."""

    job_id: str = Field(pattern="^job_")
    job_url: str
    answer: str | None
    confidence: float | None
    confidence_kind: str | None
    why: str | None
    candidates: list[Candidate]
    stop_reason: str | None
    error_code: str | None
    cancel_requested: bool
    strategy: dict[str, Any]
    budget: Budget
    seed: int
    usage: Usage | None = Field(description="null before the end; the native job tells it at any time.")


class Response(Shape):
    id: str = Field(pattern="^resp_")
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Status
    background: bool
    error: ResponseFault | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: None
    metadata: dict[str, str]
    model: str
    output: list[ReasoningItem | Message]
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    reasoning: ReasoningEcho
    safety_identifier: str | None
    service_tier: Literal["default"]
    store: bool
    temperature: float | None
    text: TextEcho
    tool_choice: Literal["auto"]
    tools: list[Any]
    top_logprobs: int
    top_p: float | None
    truncation: Literal["disabled"]
    usage: ResponseUsage | None
    user: str | None
    deliberate: OwnView


class Deleted(Shape):
    id: str
    object: Literal["response"]
    deleted: bool


class ItemList(Shape):
    object: Literal["list"]
    data: list[Message]
    has_more: bool
    first_id: str | None
    last_id: str | None


class ChatAnswer(Shape):
    role: Literal["assistant"]
    content: str
    refusal: None
    annotations: list[Any]


class ChatChoice(Shape):
    index: int
    message: ChatAnswer
    logprobs: None
    finish_reason: Literal["stop", "length"]


class ChatUsage(Shape):
    prompt_tokens: int
    prompt_tokens_details: dict[str, int]
    completion_tokens: int
    completion_tokens_details: dict[str, int]
    total_tokens: int


class ChatCompletion(Shape):
    id: str = Field(pattern="^chatcmpl_")
    object: Literal["chat.completion"]
    created: int
    model: str
    service_tier: Literal["default"]
    system_fingerprint: None
    choices: list[ChatChoice]
    usage: ChatUsage
    metadata: dict[str, str]
    deliberate: OwnView


class Model(Shape):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Shape):
    object: Literal["list"]
    data: list[Model]
