"""Every route against its own documentation: schemathesis with all checks, stateful, with a key and without.

    python -m evaluation.fuzz [--quick] [--url URL --key KEY]

Without `--url` it starts a stack with scripted engines. Right is: no 5xx, no answer that the OpenAPI document does not
describe, no failed check, and in a full run no operation left out. One thing JSON Schema can't say: rules between
members (an effort beside another strategy, a deadline in the future). So a documented 422 (400 on OpenAI's routes) is a
right answer to a body that only fits its schema; a test of its own holds that every example is taken.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx

from evaluation.report import finish, say
from evaluation.stack import running_stack

ROOT = Path(__file__).resolve().parent.parent
SCRIPTED = "scripted:accuracy=0.7,tokens=40,delay_ms=1"
SETTINGS = {"DELIBERATE_POLICY": SCRIPTED, "DELIBERATE_VERIFIER": SCRIPTED, "DELIBERATE_POLICY_REPLICAS": "1"}
PHASES = "examples,coverage,fuzzing,stateful"
REQUEST_TIMEOUT_S = 120
"""Whoever waits for an answer may wait for a minute."""
QUICK_S, FULL_S = 18, 240
"""For the run with a key, half of it for the other; fuzzing and stateful testing repeat until it is over."""
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422, 429]
"""


@contextlib.contextmanager
def server(url: str | None, key: str | None) -> Iterator[tuple[str, str]]:
    """The address and a key of the server that is to be tested."""
    if url is not None:
        yield url.rstrip("/"), key or ""
        return
    with running_stack(SETTINGS) as stack:
        yield stack.url, stack.api_key


def run(url: str, key: str | None, seconds: int, seed: int, own: Iterable[str] = ()) -> dict[str, Any]:
    """One run of schemathesis; its own JSON report. `own`: ids and names that it must not change."""
    with tempfile.TemporaryDirectory(prefix="dlb-") as folder:
        config, report = Path(folder, "schemathesis.toml"), Path(folder, "report.json")
        config.write_text(CONFIG)
        hooks = {"SCHEMATHESIS_HOOKS": "evaluation.fuzz_hooks", "PYTHONPATH": str(ROOT), "FUZZ_OWN": ",".join(own)}
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run",
            f"{url}/openapi.json", "--phases", PHASES, "--checks", "all", "--max-time", str(seconds),
            "--request-timeout", str(REQUEST_TIMEOUT_S), "--max-response-time", str(REQUEST_TIMEOUT_S),
            "--seed", str(seed), "--no-shrink", "--no-color",
            "--continue-on-failure", "--report", "json", "--report-json-path", str(report),
        ]  # fmt: skip
        if key is not None:
            command += ["--header", f"Authorization: Bearer {key}"]
        done = subprocess.run(command, cwd=folder, env=os.environ | hooks, capture_output=True, text=True, check=False)
        if not report.exists():
            raise SystemExit(f"schemathesis did not run: {(done.stderr or done.stdout)[-2000:]}")
        say(done.stdout[-60_000:] if done.returncode else done.stdout[-600:])
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """What of a report is told on."""
    failures = report["failures"]
    return {
        "operations": report["operations"],
        "left_out": _left_out(report["operations"]),
        "test_cases": report["test_cases"],
        "failures": len(failures),
        "failed_checks": dict(Counter(f"{one['code']} {one['title']}" for one in failures)),
        "errors": len(report["errors"]),
        "stopped": report["stop_reason"],
        "seed": report["seed"],
    }


def _left_out(operations: dict[str, Any]) -> int:
    """How many operations no request was made to."""
    return int(operations["total"]) - int(operations["tested"])


def measure(url: str, key: str, seconds: int, seed: int, *, full: bool) -> dict[str, Any]:
    operations = sum(len(item) for item in httpx.get(f"{url}/openapi.json", trust_env=False).json()["paths"].values())
    say(f"{operations} operations; with a key, {seconds} s")
    with_key = summary(run(url, key, seconds, seed, owned(url, key)))
    httpx.get(f"{url}/v1/usage", headers=_bearer(key), trust_env=False).raise_for_status()  # the key was never ended
    say(f"without a key, {seconds // 2} s")
    without_key = summary(run(url, None, seconds // 2, seed))
    faults = sum(one["failures"] + one["errors"] for one in (with_key, without_key))
    left_out = with_key["left_out"] + without_key["left_out"]
    return {
        "ok": faults == 0 and (left_out == 0 or not full),
        "failures": faults,
        "left_out": left_out,
        "server_errors": _server_errors(url),
        "operations": operations,
        "with_key": with_key,
        "without_key": without_key,
    }


def owned(url: str, key: str) -> set[str]:
    """The key and the tenant that make the requests: all there are before anything was made."""
    with httpx.Client(base_url=url, headers=_bearer(key), trust_env=False) as client:
        things = [one for kind in ("keys", "tenants") for one in client.get(f"/v1/admin/{kind}").json()["data"]]
    return {one[name] for one in things for name in ("id", "name") if name in one}


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _server_errors(url: str) -> int:
    """5xx that the server itself has counted, but for 503, which it may always say."""
    total = 0
    for line in httpx.get(f"{url}/metrics", trust_env=False).text.splitlines():
        if line.startswith("deliberate_http_requests_total") and 'status="5' in line and 'status="503"' not in line:
            total += int(float(line.rsplit(" ", 1)[1]))
    return total


def table(result: dict[str, Any]) -> str:
    lines = [
        f"{result['operations']} operations, {result['server_errors']} answers of 5xx other than 503.",
        "",
        "| run | operations tested | test cases | failures | errors |",
        "|---|---|---|---|---|",
    ]
    for name in ("with_key", "without_key"):
        one = result[name]
        cases = one["test_cases"]
        count = cases.get("generated", cases) if isinstance(cases, dict) else cases
        failed = f"{one['failures']} {one['failed_checks'] or ''}"
        tested = one["operations"]["tested"]
        lines.append(f"| {name.replace('_', ' ')} | {tested} | {count} | {failed} | {one['errors']} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute, nothing written to docs/results")
    parser.add_argument("--url", help="a running server instead of one of our own")
    parser.add_argument("--key", help="an API key of that server")
    parser.add_argument("--seconds", type=int, help="of the run with a key")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    seconds = arguments.seconds or (QUICK_S if arguments.quick else FULL_S)
    with server(arguments.url, arguments.key) as (url, key):
        result = measure(url, key, seconds, arguments.seed, full=not arguments.quick)
    finish("fuzz", "python -m evaluation.fuzz", result, table(result), full=not arguments.quick)
    raise SystemExit(0 if result["ok"] and not result["server_errors"] else 1)


if __name__ == "__main__":
    main()
