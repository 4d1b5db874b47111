"""Every method that shows the policy its earlier attempts, against as many parallel samples and more.

    python -m evaluation.revisions [--quick] [--models models] [--workers 1] [--seeds 1] [--n 200]

Chains of revisions at several ratios of sequential to parallel, one long chain, and trees of revisions, on the engines,
up to 64 generations; beside them voting and best-of-n of up to 256 independent samples of the same problems. Keys:
`generations_for_parallel` (of the ratio that is best at 64: the fewest that reach best-of-256), `right_lost_share`
(of the chains whose first attempt is right those whose answer is wrong in the end), and the same of as many parallel
samples (`right_lost_share_in_parallel`), which tells what of it is the verifier's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from evaluation.curving.methods import NESTED, REVISING, TREES
from evaluation.curving.page import points_table, text
from evaluation.curving.page import table as sheet
from evaluation.curving.result import curves
from evaluation.curving.revising import MOST_GENERATIONS, PARALLEL_N, revisions
from evaluation.curving.session import session
from evaluation.curving.table import Table
from evaluation.curving.work import Part
from evaluation.quality.record import ProblemItem
from evaluation.report import finish

SIZES = tuple(2**at for at in range(PARALLEL_N.bit_length()))
BUDGETS = (4, 16, MOST_GENERATIONS)


def parts(items: tuple[ProblemItem, ...], seeds: Sequence[int]) -> tuple[Part, ...]:
    """Trees come last: what time does not allow is what the keys don't ask for."""
    chains, trees = (tuple(one.name for one in group) for group in (REVISING, TREES))
    found = [Part(f"revisions, seed {seed}", items, seed, PARALLEL_N, SIZES, chains, BUDGETS) for seed in seeds]
    return (*found, *(Part(f"trees, seed {seed}", items, seed, 0, (), trees, BUDGETS) for seed in seeds))


def markdown(result: dict[str, Any]) -> str:
    how = (
        f"{result['problems']} problems of the test split, seeds {', '.join(map(str, result['seeds']))}, temperature"
        f" {result['temperature']:g}; everything charged. Intervals are paired 95 % bootstrap intervals over problems."
        f" Left out for want of time: {'; '.join(result['left_out']) or 'nothing'}."
    )
    keys = sheet(["key", "value"], [[key, text(value)] for key, value in result["revisions"].items()])
    return "\n\n".join([how, keys, "## Accuracy and cost", points_table(result["curves"])])


def main() -> int:
    told = session("revisions", sys.argv[1:], __doc__, parts, revising=True)
    if told is None:
        return 2
    names = {one.name for one in (*NESTED, *REVISING, *TREES)}
    table = Table(told.items, [one for one in told.rows if one.method in names])
    result = told.about | {"revisions": revisions(table), "curves": curves(table)}
    finish("revisions", told.command, result, markdown(result), full=told.full)
    return 0


if __name__ == "__main__":
    sys.exit(main())
