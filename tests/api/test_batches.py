"""Files and batches over HTTP: OpenAI's shapes, our own, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api import batch_schemas as schemas
from api.services import Services
from domain.batch import NATIVE
from domain.dialects import Dialects
from domain.facade.models import Catalogue
from domain.ids import is_id
from domain.settings import Settings
from storage.batch_work import BatchWork
from storage.database import Database
from storage.leases import PostgresJobStore
from tests.support.batches import ROUTES, path_of
from tests.support.jobs import ending, scalar
from tests.support.problems import check_problem

pytestmark = pytest.mark.integration
DIALECTS = Dialects(Catalogue(Settings(Path())))
LINES = b"".join(json.dumps({"id": f"p{number}", "problem": f"{number} + 1"}).encode() + b"\n" for number in range(5))


async def upload(client: httpx.AsyncClient, data: bytes = LINES, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/files", files={"file": ("p.jsonl", data)}, data={"purpose": "batch"} | fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    schemas.File.model_validate(body)
    return body


async def create(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    file = await upload(client)
    answer = await client.post("/v1/reasoning/batches", json={"input_file_id": file["id"]} | body)
    assert answer.status_code == 200, answer.text
    batch: dict[str, Any] = answer.json()
    schemas.ReasoningBatch.model_validate(batch)
    return batch


async def work(database: Database, batch: str, finish: int = 100) -> None:
    """What control and an orchestrator would do."""
    turns, store = BatchWork(database, DIALECTS, 8), PostgresJobStore(database)
    while await turns.turn(batch):
        pass
    claims = await store.claim("w", finish, 30.0) if finish else ()
    await store.commit([ending(claim.job, claim.fence, 1) for claim in claims])
    while await turns.turn(batch):
        pass


async def test_a_file_comes_back_as_it_was_sent(client: httpx.AsyncClient) -> None:
    data = b"".join(b'{"id": %d, "problem": "%s"}\n' % (number, b"x" * 900) for number in range(1000))
    file = await upload(client, data)
    assert is_id("file", file["id"])
    assert (file["bytes"], file["filename"], file["purpose"]) == (len(data), "p.jsonl", "batch")
    got = await client.get(f"/v1/files/{file['id']}/content", headers={"Accept": "application/binary"})
    assert got.status_code == 200
    assert got.content == data
    rest = await client.get(f"/v1/files/{file['id']}/content", headers={"Range": "bytes=900000-"})
    assert (rest.status_code, rest.content) == (206, data[900000:])
    some = await client.get(f"/v1/files/{file['id']}/content", headers={"Range": "bytes=262140-262149"})
    assert some.content == data[262140:262150]
    behind = await client.get(f"/v1/files/{file['id']}/content", headers={"Range": f"bytes={len(data)}-"})
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(data)}")


async def test_files_are_listed_and_deleted(client: httpx.AsyncClient, database: Database) -> None:
    ids = [(await upload(client))["id"] for _ in range(3)]
    page = (await client.get("/v1/files", params={"limit": 2})).json()
    schemas.FileList.model_validate(page)
    assert [one["id"] for one in page["data"]] == ids[:0:-1]
    assert page["has_more"] is True
    rest = (await client.get("/v1/files", params={"after": page["last_id"]})).json()
    assert [one["id"] for one in rest["data"]] == ids[:1]
    oldest = (await client.get("/v1/files", params={"order": "asc", "purpose": "batch", "limit": 1})).json()
    assert oldest["data"][0]["id"] == ids[0]
    gone = (await client.delete(f"/v1/files/{ids[0]}")).json()
    assert gone == {"id": ids[0], "object": "file", "deleted": True}
    assert (await client.get(f"/v1/files/{ids[0]}")).status_code == 404
    assert await scalar(database, "SELECT count(DISTINCT file_id) FROM file_chunks") == 2


async def test_jobs_of_lines_are_listed_under_their_batch_alone(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, database: Database
) -> None:
    own = (await client.post(NATIVE, json={"problem": "1 + 1", "labels": ["batch"]})).json()["id"]
    batch = await create(client)
    await work(database, batch["id"], finish=0)
    assert [job["id"] for job in (await client.get(NATIVE)).json()["data"]] == [own]
    assert [job["id"] for job in (await client.get(NATIVE, params={"label": "batch"})).json()["data"]] == [own]
    lines = (await client.get(NATIVE, params={"label": batch["id"]})).json()["data"]
    assert [job["labels"] for job in lines] == [[batch["id"]]] * 5
    assert (await stranger.get(NATIVE, params={"label": batch["id"]})).json()["data"] == []


WRONG_UPLOADS: list[tuple[Any, Any, int, str | None]] = [
    ({"purpose": "fine-tune"}, {"file": ("p", LINES)}, 400, "purpose"),
    ({}, {"file": ("p", LINES)}, 400, "purpose"),
    ({"purpose": "batch"}, {"other": ("p", LINES)}, 400, "other"),
    ({"purpose": "batch"}, {"file": ("p", b"")}, 400, "file"),
    ({"purpose": "batch" * 1000}, {"file": ("p", LINES)}, 400, "purpose"),
    (
        {"purpose": "batch", "expires_after[anchor]": "now", "expires_after[seconds]": "3600"},
        {"file": ("p", LINES)}, 400, "expires_after",
    ),
    ({"purpose": "batch"}, {"file": ("p", b"\n" * 100_001)}, 413, None),
]  # fmt: skip
NO_FORMS = [
    ("application/json", b"{}", 415),
    ("multipart/form-data", b"", 400),
    ("multipart/form-data; boundary=x", b"nonsense", 400),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc', 400),
    ("multipart/form-data; boundary=x", b"--x\r\nX: y\r\n\r\nabc\r\n--x--\r\n", 400),
]


async def test_wrong_uploads_leave_nothing(client: httpx.AsyncClient, database: Database) -> None:
    for data, files, status, param in WRONG_UPLOADS:
        answer = await client.post("/v1/files", data=data, files=files)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), data
    for kind, body, status in NO_FORMS:
        answer = await client.post("/v1/files", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status, body
    assert await scalar(database, "SELECT count(*) FROM files") == 0


async def test_a_file_that_is_too_large_is_refused_as_it_comes(
    client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(services.settings, "max_file_bytes", 300_000)
    answer = await client.post("/v1/files", files={"file": ("p", b"x" * 300_001)}, data={"purpose": "batch"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "file_too_large")


async def test_a_batch_runs_and_its_results_come_in_every_format(client: httpx.AsyncClient, database: Database) -> None:
    batch = await create(client, strategy={"name": "self_consistency", "n": 1}, metadata={"who": "me"})
    assert batch["status"] == "validating"
    await work(database, batch["id"], finish=2)
    running = (await client.get(f"/v1/reasoning/batches/{batch['id']}")).json()
    schemas.ReasoningBatch.model_validate(running)
    assert running["counts"] == {
        "total": 5, "waiting": 0, "running": 3, "completed": 2, "failed": 0, "invalid": 0, "written": 2,
    }  # fmt: skip
    assert running["estimate"]["tokens"] == 100
    early = (await client.get(f"/v1/reasoning/batches/{batch['id']}/results")).json()
    schemas.ResultPage.model_validate(early)
    assert len(early["data"]) == 2
    await work(database, batch["id"])
    ended = (await client.get(f"/v1/batches/{batch['id']}")).json()
    schemas.Batch.model_validate(ended)
    assert (ended["status"], ended["request_counts"]) == ("completed", {"total": 5, "completed": 5, "failed": 0})
    output = (await client.get(f"/v1/files/{ended['output_file_id']}/content")).text.splitlines()
    assert {json.loads(line)["custom_id"] for line in output} == {f"p{number}" for number in range(5)}
    results = f"/v1/reasoning/batches/{batch['id']}/results"
    page = (await client.get(results, params={"after": 3})).json()
    assert [(one["line"], one["answer"]) for one in page["data"]] == [(4, "42"), (5, "42")]
    rows = list(csv.DictReader(io.StringIO((await client.get(results, params={"format": "csv"})).text)))
    assert [(row["custom_id"], row["answer"]) for row in rows] == [(f"p{number}", "42") for number in range(5)]
    lines = (await client.get(results, params={"format": "jsonl"})).text.splitlines()
    assert [json.loads(line)["line"] for line in lines] == [1, 2, 3, 4, 5]


async def test_parquet_where_pyarrow_is(client: httpx.AsyncClient, database: Database) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    batch = await create(client)
    await work(database, batch["id"])
    answer = await client.get(f"/v1/reasoning/batches/{batch['id']}/results", params={"format": "parquet"})
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.column("custom_id").to_pylist() == [f"p{number}" for number in range(5)]
    assert table.column("generated_tokens").to_pylist() == [20] * 5


async def test_without_pyarrow_the_remedy_is_named(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = await create(client)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    answer = await client.get(f"/v1/reasoning/batches/{batch['id']}/results", params={"format": "parquet"})
    assert answer.status_code == 501
    assert "format=csv" in answer.json()["error"]["message"]


async def test_pause_resume_and_cancel(client: httpx.AsyncClient, database: Database) -> None:
    batch = await create(client)
    url = f"/v1/reasoning/batches/{batch['id']}"
    assert (await client.post(f"{url}/pause")).json()["paused"] is True
    await work(database, batch["id"])
    assert (await client.get(url)).json()["counts"]["waiting"] == 5
    assert (await client.post(f"{url}/resume")).json()["paused"] is False
    cancelled = (await client.post(f"/v1/batches/{batch['id']}/cancel")).json()
    assert cancelled["status"] == "cancelling"
    await work(database, batch["id"], finish=0)
    ended = (await client.get(f"/v1/batches/{batch['id']}")).json()
    assert (ended["status"], ended["request_counts"]["failed"]) == ("cancelled", 5)
    assert (await client.post(f"/v1/batches/{batch['id']}/cancel")).json()["status"] == "cancelled"


async def test_batches_are_listed_in_pages(client: httpx.AsyncClient) -> None:
    ids = [(await create(client))["id"] for _ in range(3)]
    for path, schema in (("/v1/batches", schemas.BatchList), ("/v1/reasoning/batches", schemas.ReasoningBatchList)):
        first = (await client.get(path, params={"limit": 2})).json()
        schema.model_validate(first)
        assert [one["id"] for one in first["data"]] == ids[:0:-1]
        rest = (await client.get(path, params={"limit": 2, "after": first["last_id"]})).json()
        assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (ids[:1], False)


WRONG_MEMBERS: list[tuple[dict[str, Any], str]] = [
    ({}, "input_file_id"),
    ({"input_file_id": "file_x"}, "input_file_id"),
    ({"endpoint": "/v1/embeddings"}, "endpoint"),
    ({"endpoint": None}, "endpoint"),
    ({"completion_window": "24"}, "completion_window"),
    ({"completion_window": "1s"}, "completion_window"),
    ({"completion_window": ["24h"]}, "completion_window"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"metadata": []}, "metadata"),
    ({"strategy": "nonsense"}, "strategy.name"),
    ({"effort": "vast"}, "effort"),
    ({"confidence": 2}, "confidence"),
    ({"budget": {"seconds": 5}}, "budget.seconds"),
    ({"budget": {"tokens": 0}}, "budget.tokens"),
    ({"job_budget": {"x": 1}}, "budget.x"),
    ({"on_invalid_line": "panic"}, "on_invalid_line"),
    ({"priority": 1000}, "priority"),
    ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "output_expires_after"),
    ({"surprise": 1}, "surprise"),
]


async def test_wrong_members_are_named(client: httpx.AsyncClient) -> None:
    for body, param in WRONG_MEMBERS:
        file = {} if "input_file_id" in body or not body else {"input_file_id": "file_00000000000000000000000000"}
        for path, status in (("/v1/batches", 400), ("/v1/reasoning/batches", 422)):
            answer = await client.post(path, json={"endpoint": NATIVE, **file, **body})
            assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


async def test_retries_make_one_file_and_one_batch(client: httpx.AsyncClient, database: Database) -> None:
    """The SDK's own retries carry no key, only their number; their boundaries are new each time."""
    ids = []
    for retry in range(3):
        headers = {"x-stainless-retry-count": str(retry)}
        form = {"files": {"file": ("p.jsonl", LINES)}, "data": {"purpose": "batch"}}
        file = (await client.post("/v1/files", **form, headers=headers)).json()["id"]
        body = {"input_file_id": file, "endpoint": NATIVE, "completion_window": "24h"}
        ids.append((file, (await client.post("/v1/batches", json=body, headers=headers)).json()["id"]))
    assert len(set(ids)) == 1
    assert await scalar(database, "SELECT count(*) FROM files") == 1
    keyed = [
        (await client.post("/v1/reasoning/batches", json={"input_file_id": file}, headers={"Idempotency-Key": "k"}))
        for _ in range(2)
    ]
    assert keyed[0].json()["id"] == keyed[1].json()["id"]
    assert keyed[1].headers["idempotent-replayed"] == "true"
    assert await scalar(database, "SELECT count(*) FROM batches") == 2


async def test_every_route_needs_a_key(anonymous: httpx.AsyncClient) -> None:
    for method, path in sorted(ROUTES):
        check_problem(await anonymous.request(method, path_of(path)), 401)


async def test_unknown_ids_are_one_404(client: httpx.AsyncClient) -> None:
    for method, path in sorted(ROUTES):
        if "{" in path:
            check_problem(await client.request(method, path_of(path)), 404)


async def test_strangers_see_nothing(client: httpx.AsyncClient, stranger: httpx.AsyncClient, app: FastAPI) -> None:
    batch = await create(client)
    missing = "00000000000000000000000000"
    for path, known in (("/v1/files/{}", batch["input_file_id"]), ("/v1/batches/{}", batch["id"])):
        theirs = (await stranger.get(path.format(known))).json()
        unknown = (await stranger.get(path.format(known.partition("_")[0] + "_" + missing))).json()
        assert {**theirs, "request_id": ""} == {**unknown, "request_id": ""}
        assert theirs["status"] == 404
    for method, path in (
        ("GET", f"/v1/files/{batch['input_file_id']}/content"),
        ("DELETE", f"/v1/files/{batch['input_file_id']}"),
        ("POST", f"/v1/batches/{batch['id']}/cancel"),
        ("GET", f"/v1/reasoning/batches/{batch['id']}"),
        ("GET", f"/v1/reasoning/batches/{batch['id']}/results"),
        ("GET", f"/v1/reasoning/batches/{batch['id']}/results?format=csv"),
        ("POST", f"/v1/reasoning/batches/{batch['id']}/pause"),
        ("POST", f"/v1/reasoning/batches/{batch['id']}/resume"),
        ("POST", f"/v1/reasoning/batches/{batch['id']}/cancel"),
    ):
        assert (await stranger.request(method, path)).status_code == 404, path
    taken = await stranger.post("/v1/reasoning/batches", json={"input_file_id": batch["input_file_id"]})
    assert taken.status_code == 404
    assert (await client.get(f"/v1/batches/{batch['id']}")).json()["status"] == "validating"
