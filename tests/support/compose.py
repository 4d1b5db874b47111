"""docker-compose.yml as Compose reads it, and its services as plain processes: there is no Docker engine in the tests.

A service's own command line and health check run unchanged. What differs on one machine (addresses, ports, folders)
comes from its environment, and from small stand-ins on the PATH that add `--port` and the like and become the program.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cli.stack import sessions
from cli.stack.logs import last_line
from tests.support.stack import ROOT

FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::([-?])([^}]*))?\}|(\w+))")


class MissingVariable(Exception):
    """A `${NAME:?message}` without a value."""


def load(env: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables filled in from `env`. Raises MissingVariable."""
    return dict(_interpolated(yaml.safe_load(FILE.read_text()), env))


def raw() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


def _interpolated(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(item, env) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolated(item, env) for item in value]
    return _VARIABLE.sub(lambda match: _value(match, env), value) if isinstance(value, str) else value


def _value(match: re.Match[str], env: Mapping[str, str]) -> str:
    dollar, name, operator, operand, plain = match.groups()
    if dollar:
        return "$"
    found = env.get(name or plain, "")
    if found or operator is None:
        return found
    if operator == "?":
        raise MissingVariable(name)
    return str(operand)


class Service:
    """One service of the file as a process of this machine."""

    def __init__(self, name: str, spec: Mapping[str, Any], env: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self._spec = spec
        self._env = dict(env)
        self._log = logs / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._spec["command"], env=self._env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def wait_completed(self, within_s: float = 60.0) -> None:
        assert self._process is not None
        assert self._process.wait(within_s) == 0, last_line(self._log)

    def is_healthy(self) -> bool:
        """Its own health check, once."""
        kind, *test = self._spec["healthcheck"]["test"]
        command = test if kind == "CMD" else ["sh", "-c", *test]
        return subprocess.run(command, env=self._env, cwd=ROOT, capture_output=True, check=False).returncode == 0

    def wait_healthy(self, within_s: float = 60.0) -> None:
        assert self._process is not None
        deadline = time.monotonic() + within_s
        while not self.is_healthy():
            assert time.monotonic() < deadline, f"{self.name} was not healthy in time: {last_line(self._log)}"
            time.sleep(0.2)
        assert self._process.poll() is None, f"{self.name}: {last_line(self._log)}"

    def stop(self, within_s: float = 15.0) -> int | None:
        """As Compose does it: SIGTERM, then SIGKILL for all that is left. Gives the exit code."""
        if self._process is None:
            return None
        sessions.send([self._process.pid], signal.SIGTERM)
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            sessions.send(sessions.members(self._process.pid), signal.SIGKILL)
            self._process.wait()


@dataclass(frozen=True)
class Changes:
    """What a stand-in does to the arguments of the program that it stands for."""

    first: Sequence[str] = ()
    replace: Mapping[str, str] = field(default_factory=dict)
    last: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The arguments to add at the end, by a word that must be among the given ones."""


def stand_in(folder: Path, program: Path, changes: Changes) -> None:
    """A program of the same name in `folder`, which changes its arguments and becomes `program`."""
    folder.mkdir(exist_ok=True)
    path = folder / program.name
    path.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        f"replace, last = {dict(changes.replace)!r}, {dict(changes.last)!r}\n"
        "given = [replace.get(word, word) for word in sys.argv[1:]]\n"
        "more = next((words for word, words in last.items() if word in sys.argv), ())\n"
        f"os.execv({str(program)!r}, [{str(program)!r}, *{list(changes.first)!r}, *given, *more])\n"
    )
    path.chmod(0o755)


def search_path(folder: Path) -> str:
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
