"""The native Python client of Deliberate, synchronous and asynchronous: what OpenAI's client can't say.

from client import Deliberate

with Deliberate(base_url="http://127.0.0.1:8080", api_key="dlb_…") as deliberate:
    job = deliberate.jobs.solve("What is 17 * 23?", effort="high")
    print(job.answer, job.confidence)
"""

from client.asynchronous import AsyncDeliberate
from client.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    AuthenticationError,
    InvalidRequestError,
    JobTimeout,
    NotFoundError,
    RateLimitError,
    ServerError,
    WebhookVerificationError,
)
from client.shapes import (
    Batch,
    Candidate,
    Delivery,
    Event,
    File,
    Job,
    JobOptions,
    Page,
    TraceEvent,
    Usage,
    WebhookEndpoint,
    WebhookEvent,
)
from client.sync import Deliberate
from client.verification import verify_webhook

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "AsyncDeliberate",
    "AuthenticationError",
    "Batch",
    "Candidate",
    "Deliberate",
    "Delivery",
    "Event",
    "File",
    "InvalidRequestError",
    "Job",
    "JobOptions",
    "JobTimeout",
    "NotFoundError",
    "Page",
    "RateLimitError",
    "ServerError",
    "TraceEvent",
    "Usage",
    "WebhookEndpoint",
    "WebhookEvent",
    "WebhookVerificationError",
    "verify_webhook",
]
