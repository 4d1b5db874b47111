"""Health check of a process that serves no HTTP: `python -m workers.health control`. Exit code 0: its loop turns."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from domain.errors import ConfigurationError
from domain.settings import from_environment
from workers.heartbeat import OLDEST_S, Heartbeat

PROCESSES = ("control", "orchestrator", "engines")


def main(arguments: list[str], env: Mapping[str, str]) -> int:
    if len(arguments) != 1 or arguments[0] not in PROCESSES:
        return _say(f"usage: python -m workers.health {'|'.join(PROCESSES)}", 2)
    name = arguments[0]
    try:
        age_s = Heartbeat(from_environment(env).home, name).age_s()
    except ConfigurationError as error:
        return _say(error.message, 2)
    if age_s is None:
        return _say(f"{name}: no heartbeat: it is not running under this DELIBERATE_HOME", 1)
    if age_s > OLDEST_S:
        return _say(f"{name}: last heartbeat {age_s:.0f} s ago: it hangs or has died", 1)
    return _say(f"{name}: healthy", 0)


def _say(line: str, code: int) -> int:
    (sys.stdout if code == 0 else sys.stderr).write(line + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
