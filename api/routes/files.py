"""Files as OpenAI's clients call them: upload, list, read, delete."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api import batch_schemas as schemas
from api.batch_views import file_view
from api.documented import errors
from api.facade.errors import FacadeRoute
from api.idempotency import REPLAYED, Trials
from api.json_response import Json
from api.problems import HttpProblem
from api.security import Caller
from api.services import services_of
from api.uploads import store_upload
from storage.files import FileRecord

router = APIRouter(tags=["files"], route_class=FacadeRoute)

UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "dependentRequired": {
                        "expires_after[anchor]": ["expires_after[seconds]"],
                        "expires_after[seconds]": ["expires_after[anchor]"],
                    },
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "JSON lines."},
                        "purpose": {"type": "string", "enum": ["batch"]},
                        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                        "expires_after[seconds]": {"type": "integer", "minimum": 3600, "maximum": 2592000},
                    },
                }
            }
        },
    }
}
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes.", "content": {"application/octet-stream": {"schema": {"type": "string"}}}},
    206: {"description": "The bytes that `Range: bytes=N-` or `bytes=N-M` asks for."},
    416: {"description": "The range begins behind the end of the file (of an output file: so far)."},
}
_RANGE = re.compile(r"^bytes=(\d{1,18})-(\d{1,18})?$")


@router.post("/v1/files", response_model=schemas.File, responses=errors(400, 408, 413, 415), openapi_extra=UPLOAD)
async def upload(request: Request, caller: Caller, trial: Trials) -> Json:
    """Store a file for a batch. It is streamed to the database, never held whole."""
    services = services_of(request)
    file_id, replayed = await store_upload(request, services.files, trial, services.settings.max_file_bytes)
    view = file_view(await services.files.get(caller.tenant, file_id))
    return Json(view, headers={REPLAYED: "true"} if replayed else None)


@router.get("/v1/files", response_model=schemas.FileList, responses=errors(400))
async def page(
    request: Request,
    caller: Caller,
    purpose: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[str | None, Query(description="The last id of the page before.", max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
) -> Json:
    """The caller's files, newest first."""
    files, has_more = await services_of(request).files.page(
        caller.tenant, purpose=purpose, after=after, limit=limit, ascending=order == "asc"
    )
    first, last = (files[0].id, files[-1].id) if files else (None, None)
    data = [file_view(file) for file in files]
    return Json({"object": "list", "data": data, "has_more": has_more, "first_id": first, "last_id": last})


@router.get("/v1/files/{file_id}", response_model=schemas.File, responses=errors(404))
async def retrieve(request: Request, caller: Caller, file_id: str) -> Json:
    """What a file is; its bytes are at /content."""
    return Json(file_view(await services_of(request).files.get(caller.tenant, file_id)))


@router.get("/v1/files/{file_id}/content", response_class=Response, responses=errors(404) | CONTENT)
async def content(request: Request, caller: Caller, file_id: str) -> Response:
    """A file's bytes. The output of a batch grows while it runs: `Range` reads on from where the last read ended."""
    services = services_of(request)
    file = await services.files.get(caller.tenant, file_id)
    begin, stop, partial = _wanted(request.headers.get("range"), file)
    headers = {"Content-Length": str(stop - begin), "Accept-Ranges": "bytes"}
    if partial:
        headers["Content-Range"] = f"bytes {begin}-{stop - 1}/{file.bytes}"

    async def parts() -> AsyncIterator[bytes]:
        async for part in services.files.read(caller.tenant, file_id, begin, stop):
            yield part

    return StreamingResponse(parts(), 206 if partial else 200, headers=headers, media_type="application/octet-stream")


@router.delete("/v1/files/{file_id}", response_model=schemas.FileDeleted, responses=errors(400, 404))
async def delete(request: Request, caller: Caller, file_id: str) -> Json:
    """Erase a file; refused while a batch works with it."""
    await services_of(request).files.delete(caller.tenant, file_id, caller.key_id)
    return Json({"id": file_id, "object": "file", "deleted": True})


def _wanted(header: str | None, file: FileRecord) -> tuple[int, int, bool]:
    """First byte, the one behind the last, and whether that was asked for. A range that we can't read is ignored
    (RFC 9110, 14.2)."""
    match = _RANGE.match(header.strip()) if header else None
    if match is None:
        return 0, file.bytes, False
    begin = int(match[1])
    stop = min(int(match[2]) + 1, file.bytes) if match[2] else file.bytes
    if begin >= stop:
        raise HttpProblem(
            416,
            "range_not_satisfiable",
            f"The file has {file.bytes} bytes.",
            headers={"Content-Range": f"bytes */{file.bytes}"},
        )
    return begin, stop, True
