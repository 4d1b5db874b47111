"""The native client: retries that are safe, streams that go on, webhooks that are checked; both clients alike."""

from __future__ import annotations

import base64
import inspect
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import client as package
from client import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    Deliberate,
    InvalidRequestError,
    JobTimeout,
    NotFoundError,
    RateLimitError,
    ServerError,
    WebhookVerificationError,
    asynchronous,
    sync,
    verify_webhook,
)
from client.retrying import Retries
from client.sse import Parser
from messaging.webhooks import sign

JOB = {"id": "job_1", "status": "completed", "answer": "391", "confidence": 0.9, "labels": ["a"], "new_member": 1}
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"t" * 32).decode()

Handler = Callable[[httpx.Request], httpx.Response]


def deliberate(handler: Handler, **options: Any) -> Deliberate:
    quick = Retries(first_s=0.001, longest_s=0.001)
    http = httpx.Client(transport=httpx.MockTransport(handler))
    return Deliberate("http://server/v1/", "key", http=http, retries=options.pop("retries", quick), **options)


class Server:
    """Answers in turn; an exception among the answers is a connection that fails."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok(body: Any = JOB) -> httpx.Response:
    return httpx.Response(200, json=body)


def refusal(status: int, **headers: str) -> httpx.Response:
    body = {"error": {"message": "no", "type": "t", "param": "seed", "code": "c"}}
    return httpx.Response(status, json=body, headers={"x-request-id": "req_1", **headers})


def test_a_repeated_submission_keeps_its_key() -> None:
    server = Server(httpx.ReadTimeout("slow"), refusal(503), refusal(429, **{"retry-after": "0"}), ok())
    job = deliberate(server).jobs.create("17 * 23", effort="low", labels=["a"])
    assert (job.answer, job.labels, job.ended, job.raw["new_member"]) == ("391", ("a",), True, 1)
    keys = {request.headers["idempotency-key"] for request in server.requests}
    assert len(keys) == 1
    assert len(server.requests) == 4
    assert json.loads(server.requests[0].content) == {"problem": "17 * 23", "effort": "low", "labels": ["a"]}
    assert str(server.requests[0].url) == "http://server/v1/reasoning/jobs"
    assert server.requests[0].headers["authorization"] == "Bearer key"
    other = Server(ok())
    deliberate(other).jobs.create("1 + 1", idempotency_key="mine")
    assert other.requests[0].headers["idempotency-key"] == "mine"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationError), (403, AuthenticationError), (404, NotFoundError), (422, InvalidRequestError)],
)
def test_what_the_caller_must_change_is_not_asked_again(status: int, kind: type[Exception]) -> None:
    server = Server(refusal(status))
    with pytest.raises(kind) as raised:
        deliberate(server).jobs.get("job_1")
    error = raised.value
    assert isinstance(error, package.APIStatusError)
    assert (error.status, error.code, error.param, error.request_id) == (status, "c", "seed", "req_1")


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitError), (503, ServerError), (500, ServerError)])
def test_retries_end(status: int, kind: type[Exception]) -> None:
    server = Server(*(refusal(status) for _ in range(4)))
    with pytest.raises(kind):
        deliberate(server).jobs.get("job_1")
    assert server.answers == []


def test_the_server_says_whether_and_when() -> None:
    policy = Retries(patience_s=10)
    assert policy.after(1, 503, {"retry-after": "7"}) == 7
    assert policy.after(1, 503, {"retry-after-ms": "250"}) == 0.25
    assert policy.after(1, 503, {"retry-after": "11"}) is None
    assert policy.after(1, 503, {"x-should-retry": "false"}) is None
    assert policy.after(1, 422, {"x-should-retry": "true"}) is not None
    assert policy.after(1, 503, {"retry-after": "soon"}) is not None
    assert policy.after(4, None, {}) is None


def test_a_connection_that_never_works_is_said_and_so_is_a_wrong_server() -> None:
    with pytest.raises(APIConnectionError, match="ConnectError"):
        deliberate(Server(*(httpx.ConnectError("x") for _ in range(4)))).jobs.get("job_1")
    with pytest.raises(APIError, match="base_url"):
        deliberate(Server(httpx.Response(200, text="<html>"))).jobs.get("job_1")
    with pytest.raises(ServerError, match="500"):
        deliberate(Server(*(httpx.Response(500, text="oops") for _ in range(4)))).jobs.get("job_1")
    with pytest.raises(ValueError, match="empty id"):
        deliberate(Server()).jobs.get("")


def test_without_a_key_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELIBERATE_API_KEY", raising=False)
    with pytest.raises(APIError, match="DELIBERATE_API_KEY"):
        Deliberate("http://server")
    monkeypatch.setenv("DELIBERATE_API_KEY", "key")
    Deliberate().close()


def test_waiting_asks_the_server_to_wait() -> None:
    open_job = JOB | {"status": "in_progress"}
    server = Server(ok(open_job), ok())
    assert deliberate(server).jobs.wait("job_1").answer == "391"
    assert [request.headers["prefer"] for request in server.requests] == ["wait=60", "wait=60"]
    with pytest.raises(JobTimeout):
        deliberate(Server(ok(open_job))).jobs.wait("job_1", timeout_s=0)


def test_lists_are_walked_to_their_end() -> None:
    first = {"data": [JOB, JOB | {"id": "job_2"}], "has_more": True, "last_id": "job_2"}
    server = Server(ok(first), ok({"data": [JOB | {"id": "job_3"}], "has_more": False, "last_id": "job_3"}))
    found = deliberate(server).jobs.all(labels=["x"], metadata={"run": "7"}, status=["completed"])
    assert [job.id for job in found] == ["job_1", "job_2", "job_3"]
    query = server.requests[1].url.params
    assert (query["after"], query["label"], query["metadata[run]"], query["status"]) == (
        "job_2",
        "x",
        "7",
        "completed",
    )


def sse(*numbers: int, last: bool = False) -> bytes:
    kinds = {number: "job.stopped" if last and number == numbers[-1] else "node.added" for number in numbers}
    return b"".join(
        f'id: {n}.0\nevent: {kind}\ndata: {{"type":"{kind}","seq":{n},"at":1.5}}\n\n'.encode()
        for n, kind in kinds.items()
    )


def test_a_stream_that_breaks_goes_on_where_it_was() -> None:
    server = Server(
        httpx.Response(200, content=b"retry: 5\n\n" + sse(0, 1) + b"id: 2.0\nevent: nod"),
        httpx.ConnectError("away"),
        httpx.Response(200, content=b": ping\n\n" + sse(2, 3, last=True)),
    )
    events = list(deliberate(server).jobs.events("job_1"))
    assert [(event.seq, event.id) for event in events] == [(0, "0.0"), (1, "1.0"), (2, "2.0"), (3, "3.0")]
    assert [request.headers.get("last-event-id") for request in server.requests] == [None, "1.0", "1.0"]


def test_an_ended_stream_ends_and_a_refused_one_is_an_error() -> None:
    assert list(deliberate(Server(httpx.Response(204))).jobs.events("job_1", "9.0")) == []
    with pytest.raises(NotFoundError):
        list(deliberate(Server(refusal(404))).jobs.events("job_1"))
    with pytest.raises(APIConnectionError):
        list(deliberate(Server(*(httpx.ConnectError("x") for _ in range(4)))).jobs.events("job_1"))


def test_the_parser_reads_events_cut_anywhere() -> None:
    whole = b": hi\r\n\r\n" + sse(0, 1).replace(b"\n", b"\r\n") + sse(2)
    for size in (1, 2, 3, 7, len(whole)):
        parser = Parser()
        found = [e.seq for i in range(0, len(whole), size) for e in parser.feed(whole[i : i + size])]
        assert (found, parser.last_id) == ([0, 1, 2], "2.0")


BODY = b'{"id":"evt_1","object":"event","type":"job.completed","created_at":5,"data":{"id":"job_1"}}'


def signed(secret: str = SECRET, previous: str | None = None) -> dict[str, str]:
    return sign("whd_1", BODY, secret, datetime.now(UTC), previous)


def test_a_webhook_is_believed_when_one_signature_fits() -> None:
    event = verify_webhook(BODY, {name.title(): value for name, value in signed().items()}, SECRET)
    assert (event.id, event.type, event.data) == ("evt_1", "job.completed", {"id": "job_1"})
    assert verify_webhook(BODY.decode(), signed(OTHER, SECRET), SECRET).type == "job.completed"
    assert Deliberate.__init__ is not None


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-signature": "v2,x"},
        {"webhook-id": "whd_2"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": str(int(time.time()) - 400)},
        {"webhook-timestamp": str(int(time.time()) + 400)},
    ],
)
def test_a_webhook_that_does_not_fit_is_not_believed(change: dict[str, str]) -> None:
    with pytest.raises(WebhookVerificationError):
        verify_webhook(BODY, signed() | change, SECRET)


def test_another_body_or_secret_is_not_believed() -> None:
    for body, secret in ((BODY + b" ", SECRET), (BODY, OTHER), (BODY, "whsec_?")):
        with pytest.raises(WebhookVerificationError):
            verify_webhook(body, signed(), secret)


def test_both_clients_have_the_same_calls() -> None:
    for name in ("Jobs", "Webhooks", "Batches", "Files"):
        one, two = getattr(sync, name), getattr(asynchronous, name)
        calls = {call for call in vars(one) if not call.startswith("_")}
        assert calls == {call for call in vars(two) if not call.startswith("_")}
        for call in calls:
            parameters = list(inspect.signature(getattr(one, call)).parameters)
            assert parameters == list(inspect.signature(getattr(two, call)).parameters), (name, call)
    assert Path(package.__file__).with_name("py.typed").exists()
