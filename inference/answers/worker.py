"""The process of symbolic comparison: one JSON line in, `[left, right, rounding]`, one out, `true` or `false`.

Law: it ends by itself: when its input closes, when a comparison takes too long, or when it needs too much memory. What
counts is its own processor time, so that a busy machine does not make two equal answers unequal.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys

LAST_RESORT_S = 30
"""The parent kills earlier; this ends a worker whose parent is gone."""
DEFAULT_LIMIT_S = 2.0
_MEMORY_BYTES = 4 << 30


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)  # math-verify logs the answers' text
    from inference.answers.symbolic import equal_keys, rounded_keys

    limit_s = float(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_LIMIT_S
    equal_keys(r"x:\sqrt{8}", r"x:2\sqrt{2}")  # the first one builds the parser, which takes longer than any other
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        signal.alarm(LAST_RESORT_S)
        signal.setitimer(signal.ITIMER_PROF, limit_s)  # its default action ends the process, whatever Python is doing
        left, right, rounding = json.loads(line)
        try:
            equal = (rounded_keys if rounding else equal_keys)(left, right)
        except Exception:  # whatever sympy raises on a text that a model wrote, it means: not shown to be equal
            equal = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        print(json.dumps(equal), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
