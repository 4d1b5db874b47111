"""Runs checks with whatever `openai` package this interpreter has, and prints one JSON object.

Each module beside this one is a script. The interpreter of a virtual environment with one version of the client runs
it, so that it imports nothing of this project but this harness. A check is a function of a `Bench` that may raise; a
call that this version of the client does not have is told as such, neither as passed nor as failed.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import openai


class NotInThisClient(Exception):
    """The check's calls came with a later version."""


URL, KEY, EXTRAS = "CONFORMANCE_URL", "CONFORMANCE_KEY", "CONFORMANCE_EXTRAS"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Bench:
    url: str
    """Of the server, without `/v1`."""
    key: str
    extras: dict[str, Any]
    """What else the runner says: whether it is a quick run."""

    @property
    def major(self) -> int:
        return int(openai.__version__.split(".")[0])

    def client(self, **changes: Any) -> Any:
        """An unmodified client with strict validation of all that it is answered."""
        return openai.OpenAI(**self._options(changes))

    def needs(self, call: str) -> None:
        """Raises NotInThisClient unless the client has the call, such as `webhooks.create`."""
        found = self.client()
        for name in call.split("."):
            found = getattr(found, name, None)
        if found is None:
            raise NotInThisClient(f"client.{call}")

    def async_client(self, **changes: Any) -> Any:
        return openai.AsyncOpenAI(**self._options(changes))

    def _options(self, changes: dict[str, Any]) -> dict[str, Any]:
        own = {"base_url": f"{self.url}/v1", "api_key": self.key, "timeout": PATIENCE_S}
        return own | {"_strict_response_validation": True} | changes


Check = Callable[[Bench], None]


def run(checks: list[Check]) -> None:
    """Run them in order; the last line on stdout is `{"version", "passed": […], "failed": {name: why}, "absent":
    {name: call that is not in this client}}`."""
    bench = Bench(os.environ[URL], os.environ[KEY], json.loads(os.environ.get(EXTRAS, "{}")))
    passed: list[str] = []
    failed: dict[str, str] = {}
    absent: dict[str, str] = {}
    for check in checks:
        begun = time.monotonic()
        try:
            check(bench)
        except NotInThisClient as missing:
            absent[check.__name__] = str(missing)
        except Exception as error:
            failed[check.__name__] = f"{type(error).__name__}: {error}"[:500]
            traceback.print_exc(file=sys.stderr)
        else:
            passed.append(check.__name__)
        print(f"{check.__name__}: {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    result = {"version": openai.__version__, "passed": passed, "failed": failed, "absent": absent}
    print(json.dumps(result), flush=True)


def same(given: Any, wanted: Any) -> None:
    if given != wanted:
        raise AssertionError(f"{given!r} is not {wanted!r}")


def true(holds: Any, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def refuses(call: Callable[[], Any], kind: type[Exception]) -> Any:
    """The error that the call must raise."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def until(read: Callable[[], Any], holds: Callable[[Any], bool], within_s: float = PATIENCE_S) -> Any:
    """What was read when it holds. Raises AssertionError after the time."""
    deadline = time.monotonic() + within_s
    while True:
        value = read()
        if holds(value):
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {value!r}")
        time.sleep(0.1)
