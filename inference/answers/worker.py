"""The process in which symbolic comparison runs: one JSON line in, `[left, right]`, one out, `true` or `false`.

Law: it ends by itself: when its input closes, when a comparison takes too long, or when it needs too much memory.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys

LAST_RESORT_S = 30
"""The parent kills earlier; this ends a worker whose parent is gone."""
_MEMORY_BYTES = 4 << 30


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)  # math-verify logs the answers' text
    from inference.answers.symbolic import equal_keys

    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        signal.alarm(LAST_RESORT_S)
        left, right = json.loads(line)
        try:
            equal = equal_keys(left, right)
        except Exception:  # whatever sympy raises on a text that a model wrote, it means: not shown to be equal
            equal = False
        print(json.dumps(equal), flush=True)  # noqa: T201
        signal.alarm(0)


if __name__ == "__main__":
    main()
