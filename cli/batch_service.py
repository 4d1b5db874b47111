"""The service's files and batches for the commands: everything large goes in and out as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from cli.service import Service
from domain.errors import InvalidRequest

FILES, BATCHES = "/v1/files", "/v1/reasoning/batches"
UPLOAD_S = 600.0
NOTHING_NEW = 416


class BatchService(Service):
    def upload(self, path: Path) -> str:
        """The id of the stored file. Raises InvalidRequest, Unavailable."""
        try:
            with path.open("rb") as file:
                stored = self._call(
                    "POST", FILES, files={"file": (path.name, file)}, data={"purpose": "batch"}, timeout=UPLOAD_S
                )
        except OSError as error:
            raise InvalidRequest(f"{path} can't be read ({error.strerror}): give a file of JSON lines") from None
        return str(stored["id"])

    def create_batch(self, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        """The same `key` gives the same batch."""
        return self._call("POST", BATCHES, json=body, headers={"Idempotency-Key": key})

    def batch(self, batch_id: str) -> dict[str, Any]:
        return self._call("GET", f"{BATCHES}/{_segment(batch_id)}")

    def batches(self, limit: int, after: str | None = None) -> dict[str, Any]:
        return self._call("GET", BATCHES, params={"limit": limit} | ({"after": after} if after else {}))

    def steer(self, batch_id: str, verb: str) -> dict[str, Any]:
        """`cancel`, `pause` or `resume`."""
        return self._call("POST", f"{BATCHES}/{_segment(batch_id)}/{verb}")

    def file_from(self, file_id: str, begin: int) -> Iterator[bytes]:
        """The bytes from `begin` on; nothing when there are none yet. Raises Unavailable, also in the middle."""
        yield from self._stream(f"{FILES}/{file_id}/content", headers={"Range": f"bytes={begin}-"})

    def results(self, batch_id: str, kind: str) -> Iterator[bytes]:
        """All results so far as `jsonl`, `csv` or `parquet`."""
        yield from self._stream(f"{BATCHES}/{_segment(batch_id)}/results", params={"format": kind})

    def _stream(self, path: str, **options: Any) -> Iterator[bytes]:
        try:
            with self._http.stream("GET", path, **options) as answer:
                if answer.status_code == NOTHING_NEW:
                    return
                if not answer.is_success:
                    answer.read()
                    raise self._refusal(answer)
                yield from answer.iter_bytes()
        except httpx.TransportError as error:
            raise self._unreachable(error) from None


def _segment(batch_id: str) -> str:
    if not batch_id.startswith("batch_") or not batch_id.replace("_", "").isalnum() or not batch_id.isascii():
        raise InvalidRequest(f"{batch_id!r} is not the id of a batch: ids look like batch_01k…", param="id")
    return batch_id
