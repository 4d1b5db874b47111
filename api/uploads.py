"""An upload by multipart/form-data (RFC 7578), on its way into storage: one part is the file, the others are short.

Laws: no more of it is in memory than one chunk and one network read; whatever goes wrong leaves no file behind.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from api.idempotency import Trial
from api.problems import HttpProblem
from domain.batch import MAX_LINES, expiry_seconds
from domain.errors import InvalidRequest
from storage.files import INPUT_PURPOSE, Files, FileWriter

SLOWEST_S = 60.0
"""The next bytes must be here after this time."""
LONGEST_FIELD = 1024
LONGEST_NAME = 255
FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")


@dataclass
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    filename: str | None = None


class Form:
    """What the parser has found. File bytes wait in `pending` until the caller has stored them."""

    def __init__(self, boundary: bytes) -> None:
        names = (
            "on_part_begin", "on_part_data", "on_part_end", "on_header_field", "on_header_value", "on_header_end",
            "on_headers_finished", "on_end",
        )  # fmt: skip
        self._parser = MultipartParser(boundary, {name: getattr(self, name) for name in names})  # type: ignore[misc]
        self._part = _Part()
        self._name, self._value = b"", b""
        self.fields: dict[str, bytes] = {}
        self.filename: str | None = None
        self.pending: list[bytes] = []
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Raises HttpProblem, InvalidRequest."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise _malformed() from None

    def text(self, name: str) -> str | None:
        raw = self.fields.get(name)
        if raw is None:
            return None
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"{name} is not UTF-8 text", param=name) from None

    def on_part_begin(self) -> None:
        self._part = _Part()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._part.headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._part.headers.get(b"content-disposition", b""))
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if kind != b"form-data" or not self._part.name:
            raise _malformed()
        if self._part.name != "file":
            if self._part.name not in FIELDS:
                shown = self._part.name[:64]
                raise InvalidRequest(f"unknown field {shown!r}: use file, {', '.join(FIELDS)}", param=shown)
            self.fields[self._part.name] = b""
            return
        if self.filename is not None:
            raise InvalidRequest("send one file", param="file")
        self.filename = _filename(options.get(b"filename", b""))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.name == "file":
            self.pending.append(data[start:end])
            return
        self.fields[self._part.name] += data[start:end]
        if len(self.fields[self._part.name]) > LONGEST_FIELD:
            raise InvalidRequest(f"{self._part.name} is longer than {LONGEST_FIELD} bytes", param=self._part.name)

    def on_part_end(self) -> None: ...

    def on_end(self) -> None:
        self.ended = True


async def store_upload(request: Request, files: Files, trial: Trial, largest: int) -> tuple[str, bool]:
    """The id of the stored file; True: an earlier attempt had stored it. Raises HttpProblem, InvalidRequest,
    Unavailable, IdempotencyConflict, RequestInFlight."""
    form = Form(_boundary(request.headers.get("content-type", "")))
    writer = await files.begin(trial.tenant)
    try:
        content = await _receive(request, form, writer, largest)
        purpose, expires_s = _checked(form, writer)
        earlier = await writer.seal(form.filename or "", purpose, expires_s, trial.of_digest(_digest(form, content)))
    except BaseException:
        # Also when the task is cancelled, because the caller has left.
        await asyncio.shield(asyncio.create_task(writer.discard()))
        raise
    if earlier is not None:
        await writer.discard()
    return earlier or writer.id, earlier is not None


async def _receive(request: Request, form: Form, writer: FileWriter, largest: int) -> bytes:
    """A hash of the file's bytes."""
    stream, content = request.stream(), hashlib.sha256()
    while True:
        try:
            async with asyncio.timeout(SLOWEST_S):
                data = await anext(stream, None)
        except TimeoutError:
            raise HttpProblem(408, "request_timeout", f"No bytes came for {SLOWEST_S:g} s.") from None
        except ClientDisconnect:
            raise HttpProblem(400, "invalid_request", "The connection closed before the file was whole.") from None
        if data is None:
            return content.digest()
        form.feed(data)
        for part in form.pending:
            content.update(part)
            await writer.write(part)
        form.pending.clear()
        _check_size(writer, largest)


def _digest(form: Form, content: bytes) -> str:
    """Of what was sent, not of the boundaries, which are new at each attempt."""
    said = json.dumps([form.filename, sorted((name, value.hex()) for name, value in form.fields.items())])
    return hashlib.sha256(said.encode() + content).hexdigest()


def _check_size(writer: FileWriter, largest: int) -> None:
    if writer.size > largest:
        raise HttpProblem(
            413,
            "file_too_large",
            f"The file is larger than {largest} bytes: split it.",
            headers={"Connection": "close"},
        )
    if writer.lines > MAX_LINES:
        raise HttpProblem(
            413, "too_many_lines", f"The file has more than {MAX_LINES} lines: split it.",
            headers={"Connection": "close"},
        )  # fmt: skip


def _checked(form: Form, writer: FileWriter) -> tuple[str, int | None]:
    if not form.ended:
        raise _malformed()
    if form.filename is None:
        raise InvalidRequest("file is missing: send it as a part of the form", param="file")
    purpose = form.text("purpose")
    if purpose != INPUT_PURPOSE:
        raise InvalidRequest(f"purpose must be {INPUT_PURPOSE!r}: files are for batches", param="purpose")
    if writer.size == 0:
        raise InvalidRequest("the file is empty", param="file")
    return purpose, _expiry(form)


def _expiry(form: Form) -> int | None:
    anchor, seconds = form.text("expires_after[anchor]"), form.text("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    number = int(seconds) if seconds and seconds.isascii() and seconds.isdigit() and len(seconds) < 12 else None
    return expiry_seconds({"anchor": anchor, "seconds": number}, "expires_after")


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data":
        raise HttpProblem(415, "unsupported_media_type", "Send the file as multipart/form-data.")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise _malformed()
    return boundary


def _filename(raw: bytes) -> str:
    name = raw.decode("utf-8", "replace").replace("\x00", "").replace("\\", "/").rpartition("/")[2]
    return name[:LONGEST_NAME] or "file"


def _malformed() -> HttpProblem:
    return HttpProblem(400, "invalid_request", "The body is not well-formed multipart/form-data.")
