"""Progress goes to stderr, one line at a time; stdout is for results."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
