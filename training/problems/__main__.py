"""Prints problems as JSON lines: `python -m training.problems --per-level 10 > examples/problems.jsonl`.

These problems come from a seed of their own, and training leaves them out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from training.problems.arithmetic import Example
from training.splits import EXAMPLES_HELD, examples_per_level


def line(example: Example) -> str:
    """One problem, without its solution."""
    shown = {"id": example.id, "problem": example.problem, "answer": example.answer, "level": example.level}
    return json.dumps(shown) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.problems", description=__doc__)
    parser.add_argument("--per-level", type=int, default=10, choices=range(1, EXAMPLES_HELD + 1), metavar="N")
    chosen = parser.parse_args(arguments)
    sys.stdout.writelines(line(example) for example in examples_per_level(chosen.per_level))
    return 0


if __name__ == "__main__":
    sys.exit(main())
