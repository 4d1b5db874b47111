"""Unmodified `openai` clients against a running service: three majors, each in a virtual environment of its own.

    python -m evaluation.conformance                       # makes the environments, starts a scripted stack
    python -m evaluation.conformance --venvs FOLDER        # keeps and reuses the environments
    python -m evaluation.conformance --quick               # the newest major alone

Each script of `evaluation/conformance_checks` is run by each environment's interpreter over a loopback socket, with
strict response validation on. A check that fails is named in `failed`; the exit code is then 1. A call that a version
of the client does not have is named in `not_in_this_client`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluation.report import finish, say
from evaluation.stack import RunningStack, running_stack

CHECKS = Path(__file__).parent / "conformance_checks"
VERSIONS = ("1.109", "2.54", "3.51")
NO_SCRIPTS = frozenset({"__init__", "harness", "losing", "receiving"})
SCRIPT_S = 600.0
POLICY = "scripted:accuracy=0.7,tokens=40,delay_ms=100"
"""So slow that a large search runs for seconds."""
VERIFIER = "scripted:accuracy=0.7,delay_ms=5"
SETTINGS = {
    "DELIBERATE_POLICY": POLICY,
    "DELIBERATE_VERIFIER": VERIFIER,
    "DELIBERATE_POLICY_REPLICAS": "1",
    "DELIBERATE_VERIFIER_REPLICAS": "1",
    "DELIBERATE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
}


def scripts() -> list[Path]:
    """One for each kind of object; a new file is a new script."""
    return sorted(path for path in CHECKS.glob("*.py") if path.stem not in NO_SCRIPTS)


def measure(versions: tuple[str, ...], folder: Path, extras: dict[str, Any]) -> dict[str, Any]:
    pythons = {version: interpreter(folder, version) for version in versions}
    with running_stack(SETTINGS) as stack:
        found = {
            version: [outcome(python, script, stack, extras) for script in scripts()]
            for version, python in pythons.items()
        }
    return summary(found)


def interpreter(folder: Path, version: str) -> Path:
    """The interpreter of an environment with this version of the client, made when it is not there."""
    place = folder / f"openai-{version}"
    python = place / "bin" / "python"
    if not python.exists():
        say(f"installing openai {version} into {place}")
        venv.create(place, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"openai=={version}.*"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return python


def outcome(python: Path, script: Path, stack: RunningStack, extras: dict[str, Any]) -> dict[str, Any]:
    """What one script found. A script that dies is a failure, too."""
    given = {"CONFORMANCE_URL": stack.url, "CONFORMANCE_KEY": stack.api_key, "CONFORMANCE_EXTRAS": json.dumps(extras)}
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OPENAI"))} | given
    try:
        done = subprocess.run([python, script], env=env, stdout=subprocess.PIPE, text=True, timeout=SCRIPT_S)
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, json.JSONDecodeError) as error:
        result = {"version": None, "passed": [], "failed": {"the whole script": type(error).__name__}, "absent": {}}
    say(f"{python.parent.parent.name} {script.stem}: {len(result['passed'])} passed, {len(result['failed'])} failed")
    return {"script": script.stem, **result}


def summary(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    versions = {
        wanted: {
            "openai": next((one["version"] for one in outcomes if one["version"]), None),
            "passed": sum(len(one["passed"]) for one in outcomes),
            "failed": sum(len(one["failed"]) for one in outcomes),
            "not_in_this_client": {name: call for one in outcomes for name, call in one["absent"].items()},
            "by_script": {one["script"]: len(one["passed"]) for one in outcomes},
        }
        for wanted, outcomes in found.items()
    }
    failed = [
        f"{version}/{one['script']}/{name}: {why}"
        for version, outcomes in found.items()
        for one in outcomes
        for name, why in one["failed"].items()
    ]
    return {"passed": sum(one["passed"] for one in versions.values()), "failed": failed, "versions": versions}


def table(result: dict[str, Any]) -> str:
    kinds = sorted({kind for one in result["versions"].values() for kind in one["by_script"]})
    lines = [f"| openai | {' | '.join(kinds)} | failed | not in this client |", "|---" * (len(kinds) + 3) + "|"]
    for wanted, one in result["versions"].items():
        counts = " | ".join(str(one["by_script"].get(kind, 0)) for kind in kinds)
        absent = len(one["not_in_this_client"])
        lines.append(f"| {one['openai'] or wanted} | {counts} | {one['failed']} | {absent} |")
    missing = [
        f"- openai {wanted} has no `{call}`: {name} was not run"
        for wanted, one in result["versions"].items()
        for name, call in one["not_in_this_client"].items()
    ]
    return "\n".join([*lines, "", *missing, *(f"- failed: {line}" for line in result["failed"])])


@contextlib.contextmanager
def environments(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="dlb-venvs-") as folder:
        yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the newest major alone, nothing written to docs/results")
    parser.add_argument("--venvs", type=Path, help="folder of environments that are kept: openai-1.109 and so on")
    parser.add_argument("--versions", nargs="+", default=list(VERSIONS), metavar="X.Y")
    arguments = parser.parse_args()
    versions = tuple(arguments.versions[-1:] if arguments.quick else arguments.versions)
    with environments(arguments.venvs) as folder:
        result = measure(versions, folder, {"quick": arguments.quick})
    finish("conformance", "python -m evaluation.conformance", result, table(result), full=not arguments.quick)
    sys.exit(1 if result["failed"] or not result["passed"] else 0)


if __name__ == "__main__":
    main()
