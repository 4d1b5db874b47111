"""Every kind of bad input gets one clear refusal that names the field, and stores nothing."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from api.json_body import DEEPEST
from api.limits import LARGEST_BODY
from tests.support.postgres import TestPostgres
from tests.support.problems import check_problem

pytestmark = pytest.mark.integration

JOBS = "/v1/reasoning/jobs"
JSON = {"Content-Type": "application/json"}
GOOD = {"problem": "1 + 1"}

MEMBERS: list[tuple[dict[str, Any], str]] = [
    ({}, "problem"),
    ({"problem": ""}, "problem"),
    ({"problem": " \n\t"}, "problem"),
    ({"problem": None}, "problem"),
    ({"problem": 7}, "problem"),
    ({"problem": {}}, "problem"),
    ({"problem": []}, "problem"),
    ({"problem": "a" * 100_001}, "problem"),
    ({"problem": "nul \x00"}, "problem"),
    ({"problem": ["text"]}, "problem.0"),
    ({"problem": [{"type": "image_url"}]}, "problem.0.type"),
    ({"problem": [{"type": "text", "text": "a"}, {"type": "text"}]}, "problem.1.text"),
    (GOOD | {"strategy": "guess"}, "strategy.name"),
    (GOOD | {"strategy": ""}, "strategy.name"),
    (GOOD | {"strategy": 3}, "strategy"),
    (GOOD | {"strategy": {}}, "strategy.name"),
    (GOOD | {"strategy": {"name": ["best_of_n"]}}, "strategy.name"),
    (GOOD | {"strategy": {"name": "best_of_n", "depth": 3}}, "strategy.depth"),
    (GOOD | {"strategy": {"name": "best_of_n", "n": 0}}, "strategy.n"),
    (GOOD | {"strategy": {"name": "best_of_n", "n": 10**39}}, "strategy.n"),
    (GOOD | {"strategy": {"name": "best_of_n", "n": 1.5}}, "strategy.n"),
    (GOOD | {"strategy": {"name": "best_of_n", "n": "8"}}, "strategy.n"),
    (GOOD | {"strategy": {"name": "best_of_n", "n": True}}, "strategy.n"),
    (GOOD | {"strategy": {"name": "best_of_n", "n": None}}, "strategy.n"),
    (GOOD | {"strategy": {"name": "best_of_n", "selection": "worst"}}, "strategy.selection"),
    (GOOD | {"strategy": {"name": "best_of_n", "selection": ["best"]}}, "strategy.selection"),
    (GOOD | {"effort": "heroic"}, "effort"),
    (GOOD | {"effort": ["low"]}, "effort"),
    (GOOD | {"effort": 3}, "effort"),
    (GOOD | {"effort": "low", "strategy": "beam"}, "effort"),
    (GOOD | {"effort": "low", "strategy": {"name": "adaptive", "n": 0}}, "strategy.n"),
    (GOOD | {"budget": 100}, "budget"),
    (GOOD | {"budget": {"coins": 1}}, "budget.coins"),
    (GOOD | {"budget": {"tokens": 0}}, "budget.tokens"),
    (GOOD | {"budget": {"tokens": -1}}, "budget.tokens"),
    (GOOD | {"budget": {"tokens": 1.5}}, "budget.tokens"),
    (GOOD | {"budget": {"tokens": 10**10}}, "budget.tokens"),
    (GOOD | {"budget": {"tokens": "100"}}, "budget.tokens"),
    (GOOD | {"budget": {"tokens": True}}, "budget.tokens"),
    (GOOD | {"budget": {"flops": 1e25}}, "budget.flops"),
    (GOOD | {"budget": {"rollouts": 10**7}}, "budget.rollouts"),
    (GOOD | {"budget": {"seconds": -0.0}}, "budget.seconds"),
    (GOOD | {"budget": {"seconds": 1e9}}, "budget.seconds"),
    (GOOD | {"confidence": 1.01}, "confidence"),
    (GOOD | {"confidence": -0.01}, "confidence"),
    (GOOD | {"confidence": "0.9"}, "confidence"),
    (GOOD | {"confidence": True}, "confidence"),
    (GOOD | {"seed": -1}, "seed"),
    (GOOD | {"seed": 2**63}, "seed"),
    (GOOD | {"seed": 1.0}, "seed"),
    (GOOD | {"seed": "1"}, "seed"),
    (GOOD | {"priority": 101}, "priority"),
    (GOOD | {"priority": -101}, "priority"),
    (GOOD | {"priority": False}, "priority"),
    (GOOD | {"metadata": []}, "metadata"),
    (GOOD | {"metadata": {"a": 1}}, "metadata.a"),
    (GOOD | {"metadata": {"a": "b" * 513}}, "metadata.a"),
    (GOOD | {"metadata": {"a" * 65: "b"}}, "metadata"),
    (GOOD | {"metadata": {"": "b"}}, "metadata"),
    (GOOD | {"metadata": {str(number): "" for number in range(17)}}, "metadata"),
    (GOOD | {"webhook_url": "not a url"}, "webhook_url"),
    (GOOD | {"webhook_url": 5}, "webhook_url"),
    (GOOD | {"webhook_url": "ftp://example.com"}, "webhook_url"),
    (GOOD | {"webhook_url": "https://user:pw@example.com/"}, "webhook_url"),
    (GOOD | {"webhook_url": "http://169.254.169.254/"}, "webhook_url"),
    (GOOD | {"webhook_url": "http://[::1]/"}, "webhook_url"),
    (GOOD | {"webhook_url": "https://example.com/" + "a" * 3000}, "webhook_url"),
    (GOOD | {"webhook": "https://example.com"}, "webhook"),
    (GOOD | {"x" * 500_000: 1}, "x" * 64),
]


@pytest.fixture(scope="module")
def database_url(postgres: TestPostgres) -> Iterator[str]:
    """One for all of these tests: none of them stores anything."""
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture(autouse=True)
async def _nothing_is_stored(client: httpx.AsyncClient) -> AsyncIterator[None]:
    yield
    assert (await client.get(JOBS)).json()["data"] == []


@pytest.mark.parametrize(("body", "param"), MEMBERS, ids=lambda value: repr(value)[:60])
async def test_wrong_members_are_named(client: httpx.AsyncClient, body: dict[str, Any], param: str) -> None:
    message = check_problem(await client.post(JOBS, json=body), 422, param)
    assert message


TEXTS: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"nonsense", 400),
    (b"[]", 400),
    (b'"text"', 400),
    (b"null", 400),
    (b"\xff\xfe", 400),
    (b'{"problem": "a"} trailing', 400),
    (b'{"problem": "a", "problem": "b"}', 400),
    (b'{"problem": "a", "confidence": NaN}', 400),
    (b'{"problem": "a", "confidence": -Infinity}', 400),
    (b'{"problem": "a", "budget": {"flops": 1e999}}', 400),
    (b'{"problem": "a", "budget": {"tokens": ' + b"9" * 5000 + b"}}", 400),
    (b'{"problem": ' + b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1) + b"}", 400),
    (b"[" * 400_000, 400),
    (b'{"a":' * 100_000, 400),
]


@pytest.mark.parametrize(("content", "status"), TEXTS, ids=lambda value: repr(value)[:40])
async def test_wrong_json_is_a_400(client: httpx.AsyncClient, content: bytes, status: int) -> None:
    message = check_problem(await client.post(JOBS, content=content, headers=JSON), status)
    assert "JSON" in message or "body" in message


async def test_halves_of_characters_are_refused_where_they_are(client: httpx.AsyncClient) -> None:
    content = b'{"problem": "a", "metadata": {"k": "\\ud800"}}'
    check_problem(await client.post(JOBS, content=content, headers=JSON), 422, "metadata.k")
    content = b'{"problem": "a", "metadata": {"\\ud800": "v"}}'
    check_problem(await client.post(JOBS, content=content, headers=JSON), 422, "metadata")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
async def test_other_content_types_are_refused(client: httpx.AsyncClient, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    check_problem(await client.post(JOBS, content=b'{"problem": "a"}', headers=headers), 415)


async def test_a_body_that_says_it_is_too_large(client: httpx.AsyncClient) -> None:
    content = b'{"problem": "' + b"a" * LARGEST_BODY + b'"}'
    check_problem(await client.post(JOBS, content=content, headers=JSON), 413)


async def test_a_body_in_chunks_that_becomes_too_large(client: httpx.AsyncClient) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"problem": "'
        for _ in range(1000):
            sent += 1
            yield b"a" * 65_536

    response = await client.post(JOBS, content=chunks(), headers=JSON)
    check_problem(response, 413)
    assert sent < 30, "the rest was not read"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "9" * 400}, "limit"),
        ({"status": "done"}, "status"),
        ({"after": "job_1"}, "after"),
        ({"after": "a" * 65}, "after"),
        ({"after": "job_\x00"}, "after"),
    ],
)
async def test_wrong_list_parameters_are_named(client: httpx.AsyncClient, query: dict[str, str], param: str) -> None:
    check_problem(await client.get(JOBS, params=query), 422, param)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"after": "-2"}, "after"),
        ({"after": "first"}, "after"),
        ({"after": str(2**63)}, "after"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
    ],
)
async def test_wrong_trace_parameters_are_named(client: httpx.AsyncClient, query: dict[str, str], param: str) -> None:
    check_problem(await client.get(f"{JOBS}/job_00000000000000000000000000/trace", params=query), 422, param)


UNKNOWN = ["job_00000000000000000000000000", "job_", "nonsense", "job_ABC", "%00", "job_" + "0" * 500, "%F0%9F%98%80"]


@pytest.mark.parametrize("job_id", UNKNOWN, ids=lambda value: value[:20])
@pytest.mark.parametrize(
    ("method", "suffix"),
    [("GET", ""), ("GET", "/result"), ("GET", "/trace"), ("GET", "/deliveries"), ("POST", "/cancel")],
)
async def test_unknown_jobs(client: httpx.AsyncClient, method: str, suffix: str, job_id: str) -> None:
    assert check_problem(await client.request(method, f"{JOBS}/{job_id}{suffix}"), 404) == "no such job: check its id"


@pytest.mark.parametrize("delivery_id", ["whd_00000000000000000000000000", "x", "%00"])
async def test_unknown_deliveries(client: httpx.AsyncClient, delivery_id: str) -> None:
    check_problem(await client.post(f"/v1/webhook-deliveries/{delivery_id}/replay"), 404)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/reasoning/jobs/", "/v1/nothing", "/v1/reasoning/jobs/a/b/c"])
async def test_unknown_routes(client: httpx.AsyncClient, path: str) -> None:
    check_problem(await client.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", JOBS, None),
        ("DELETE", f"{JOBS}/job_00000000000000000000000000/result", "GET"),
        ("PUT", f"{JOBS}/job_00000000000000000000000000", "DELETE, GET"),
        ("GET", f"{JOBS}/job_00000000000000000000000000/cancel", "POST"),
        ("POST", "/healthz", "GET"),
        ("PUT", "/v1/responses/resp_00000000000000000000000000", "DELETE, GET"),
    ],
)
async def test_wrong_methods(client: httpx.AsyncClient, method: str, path: str, allowed: str | None) -> None:
    response = await client.request(method, path)
    check_problem(response, 405)
    assert response.headers["allow"]
    if allowed is not None:
        assert response.headers["allow"] == allowed
