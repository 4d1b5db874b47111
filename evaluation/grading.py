"""How right the grader is: labelled pairs of answers, and integers that must never be taken for each other.

    python -m evaluation.grading [--quick] [--data FOLDER]

Keys: `accuracy` on the pairs, `hangs` (gradings that took longer than 10 s), `different_integers_equal` (among spelled
pairs of different integers), `n` (pairs).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

from domain.errors import DeliberateError
from evaluation.recorded.place import PAIRS, data_file
from evaluation.report import finish, say
from inference.answers.grade import Grader

HANG_S = 10.0
INTEGERS = (-10, -1, 0, 1, 2, 3, 7, 9, 10, 41, 43, 99, 100, 999, 1000, 1001, 2**53, 2**53 + 1, 10**18, 10**18 + 1)
SPELLINGS = ("{}", "${}$", "x = {}", r"\boxed{{{}}}", "{}.0", r"{}\%", r"{}\text{{ cm}}", r"\frac{{{}}}{{1}}", "({})")
"""Beside these, numbers with thousands separators."""
FAR = ((r"10^{100}", r"10^{101}"), ("2^{99}", "2^{98}"), ("20!", "21!"), ("30!", "31!"), (r"\binom{60}{30}", "1"))


async def graded(grader: Grader, pairs: Iterable[tuple[str, str]]) -> tuple[list[bool], int]:
    """A verdict for each pair, and how many took too long."""
    verdicts, hangs = [], 0
    for gold, prediction in pairs:
        started = time.monotonic()
        verdicts.append(await grader.grade(gold, prediction))
        hangs += time.monotonic() - started > HANG_S
    return verdicts, hangs


def different_integers(numbers: Iterable[int]) -> list[tuple[str, str]]:
    """Each number, as a data set writes it, beside every other one, in many spellings."""
    numbers = list(numbers)
    spelled = [
        (str(gold), spelling.format(other))
        for gold, other in product(numbers, numbers)
        if gold != other
        for spelling in SPELLINGS
    ]
    grouped = [(str(gold), f"{other:,}") for gold, other in product(numbers, numbers) if gold != other]
    return [*spelled, *grouped, *FAR]


async def measured(pairs: list[dict[str, Any]], numbers: Iterable[int]) -> tuple[dict[str, Any], str]:
    """The result, and a table of the pairs that were graded otherwise than they are labelled."""
    grader = Grader()
    try:
        verdicts, hangs = await graded(grader, ((pair["gold"], pair["pred"]) for pair in pairs))
        say(f"{len(pairs)} labelled pairs are graded")
        equal, more_hangs = await graded(grader, different_integers(numbers))
    finally:
        await grader.close()
    wrong = [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict != pair["equivalent"]]
    result = {
        "accuracy": 1 - len(wrong) / len(pairs),
        "hangs": hangs + more_hangs,
        "different_integers_equal": sum(equal),
        "n": len(pairs),
        "integer_pairs": len(equal),
    }
    return result, _table(wrong)


def _table(wrong: list[dict[str, Any]]) -> str:
    lines = ["| gold | prediction | labelled | source |", "|---|---|---|---|"]
    for pair in wrong:
        gold, prediction = (" ".join(pair[name].replace("|", "\\|").split()) for name in ("gold", "pred"))
        label = "equal" if pair["equivalent"] else "not equal"
        lines.append(f"| `{gold}` | `{prediction}` | {label} | {pair.get('test', '')} |")
    return "Graded otherwise than labelled:\n\n" + "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m evaluation.grading", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer integers; nothing is written")
    parser.add_argument("--data", type=Path, help="folder of the recorded data")
    options = parser.parse_args()
    try:
        pairs = [json.loads(line) for line in data_file(PAIRS, options.data).read_text("utf-8").splitlines()]
    except DeliberateError as error:
        say(error.message)
        return 2
    numbers = INTEGERS[::3] if options.quick else INTEGERS
    result, table = asyncio.run(measured(pairs, numbers))
    finish("grading", "python -m evaluation.grading", result, table, full=not options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
