"""`deliberate batch run`: upload, begin, follow, and fetch results as they come; all of it can be taken up again.

Law: the state file beside the results says what was begun before anything is begun twice, and the length of a results
file is the place where reading goes on. So that Ctrl-C, a crash of ours or of the service costs nothing but time.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cli.batch_service import BatchService
from domain.errors import InvalidRequest, Unavailable

FINAL = frozenset({"completed", "failed", "expired", "cancelled"})
POLL_S = 0.5
PATIENCE_S = 300.0
"""A service that is away for so long is given up on; the batch is safe all the same."""
RETRY_S = 2.0
READ_BYTES = 1 << 20

Show = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class State:
    """What a run has begun."""

    sha256: str
    """Of the problem file."""
    key: str
    """Idempotency key of the batch."""
    file: str | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """The files of a run."""

    problems: Path
    output: Path
    errors: Path
    state: Path


def places_of(problems: Path, out: Path | None) -> Places:
    """Results go beside the problems unless said otherwise."""
    output = out or problems.with_name(f"{problems.stem}.results.jsonl")
    return Places(
        problems,
        output,
        output.with_name(f"{output.stem.removesuffix('.results')}.errors.jsonl"),
        output.with_name(f".{output.name}.batch"),
    )


def begin(service: BatchService, places: Places, body: Mapping[str, Any], *, resume: bool) -> str:
    """The id of the batch: a new one, or the one that was begun before. Raises InvalidRequest."""
    state = _earlier(places, resume=resume) or State(_digest(places.problems), secrets.token_hex(16))
    if state.batch is not None:
        return state.batch
    if not resume:
        for path in (places.output, places.errors):
            path.unlink(missing_ok=True)
    if state.file is None:
        state = _keep(places, replace(state, file=service.upload(places.problems)))
    batch = service.create_batch({**body, "input_file_id": state.file}, state.key)
    return str(_keep(places, replace(state, batch=batch["id"])).batch)


def follow(service: BatchService, batch_id: str, places: Places, show: Show) -> dict[str, Any]:
    """Until the batch has ended and all of its results are here. Raises Unavailable after a long absence."""
    gone_since: float | None = None
    while True:
        try:
            batch = service.batch(batch_id)
            show(batch)
            fetch(service, batch, places)
            gone_since = None
        except Unavailable:
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > PATIENCE_S:
                raise
            time.sleep(RETRY_S)
            continue
        if batch["status"] in FINAL:
            places.state.unlink(missing_ok=True)
            return batch
        time.sleep(POLL_S)


def fetch(service: BatchService, batch: Mapping[str, Any], places: Places) -> None:
    """Add what is new in the batch's files to ours."""
    for file_id, path in ((batch["output_file_id"], places.output), (batch["error_file_id"], places.errors)):
        if file_id is not None:
            size = path.stat().st_size if path.exists() else 0
            with path.open("ab") as file:
                for part in service.file_from(file_id, size):
                    file.write(part)


def _earlier(places: Places, *, resume: bool) -> State | None:
    try:
        state = State(**json.loads(places.state.read_text()))
    except FileNotFoundError:
        if resume:
            raise InvalidRequest(f"there is nothing to resume: {places.state} is missing") from None
        return None
    except (ValueError, TypeError):
        raise InvalidRequest(f"{places.state} can't be read: remove it to begin anew") from None
    if not resume:
        raise InvalidRequest(
            f"a batch of these results was begun before: go on with --resume, or remove {places.state} to begin anew"
        )
    if state.sha256 != _digest(places.problems):
        raise InvalidRequest(f"{places.problems} has changed since the batch was begun: remove {places.state}")
    return state


def _keep(places: Places, state: State) -> State:
    """Whole or not at all."""
    fresh = places.state.with_name(places.state.name + ".new")
    fresh.write_text(json.dumps(asdict(state)))
    fresh.replace(places.state)
    return state


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while data := file.read(READ_BYTES):
                digest.update(data)
    except OSError as error:
        raise InvalidRequest(f"{path} can't be read ({error.strerror}): give a file of JSON lines") from None
    return digest.hexdigest()
