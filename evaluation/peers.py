"""Ours and the peers side by side: accuracy at equal FLOPs, calls issued, calls after the end of a solution.

    python -m evaluation.peers [--quick] [--problems-limit 500] [--seeds 1] [--workers 1] [--journal FILE]

One policy, one verifier, the same problems, seeds, limits and grader for all, in one process (or in several that share
the problems), on one counting engine: the i-th plain solution of a problem under a seed is the same text in every
method, and everybody pays for all that they ask. The peers are `its_hub`, `treequest` and `AdaptiveConsistency` (extra
`peers`), set up as their documentation shows; a package that is missing is named and takes no part.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import DeliberateError
from domain.settings import from_environment
from evaluation.peering.comparison import compared, points_of
from evaluation.peering.methods import FULL, QUICK, peer_methods
from evaluation.peering.runs import Plan, collect
from evaluation.peering.tables import comparison_table, curve_table, result
from evaluation.peering.task import Limits
from evaluation.quality.problems import TEST, read_items
from evaluation.quality.record import ProblemItem
from evaluation.report import finish, quiet, say

NOTES = (
    "Plain solutions are the same texts in all methods (same seeds); so are the first steps.",
    "its_hub: steps end at a blank line, a solution at the step with \\boxed (its documented stop token); "
    "beam width 4; votes by our normal form of the answer; its BestOfN takes the best solution, ours the best answer.",
    "Calls after the end are continuations of a solution whose end-of-sequence the policy had given.",
    "An aborted call is charged for the tokens that it had when it was aborted.",
    "treequest: fresh solutions at the root, revisions below, scored by the verifier's last step; top-1 by score.",
    "treequest's trees are of whole solutions, and so is our `revision_tree`; `mcts` is a tree of steps and does not "
    "revise. Both stand beside StandardMCTS.",
    "treequest decides after each score. Our trees ask for four solutions at once (`parallel`), which needs a quarter "
    "of the rounds; where N is 4, nothing is left to decide.",
    "AdaptiveConsistency: its Beta rule at 0.95 after each solution; the votes are ours to count.",
)
QUICK_PROBLEMS, FULL_PROBLEMS = 4, 500


@dataclass(frozen=True, slots=True)
class Options:
    plan: Plan
    problems: Path
    limit: int
    workers: int
    journal: Path | None
    quick: bool


def options(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m evaluation.peers", description="Ours and the peers side by side.")
    add = parser.add_argument
    add("--quick", action="store_true", help="a handful of problems and smaller budgets; nothing is written")
    add("--problems", type=Path, default=TEST, help="JSONL as `deliberate problems make` writes it")
    add("--problems-limit", type=int, help=f"problems, spread over the file (default {FULL_PROBLEMS})")
    add("--seeds", type=int, default=1, help="seeds, the same ones for every method")
    add("--workers", type=int, default=1, help="processes that share the problems")
    add("--journal", type=Path, help="keeps finished searches, so that a run that was cut short goes on")
    add("--policy", help="instead of DELIBERATE_POLICY")
    add("--verifier", help="instead of DELIBERATE_VERIFIER")
    add("--temperature", type=float, default=1.0)
    add("--max-tokens", type=int, default=256, help="of a solution, and of a step")
    given = parser.parse_args(arguments)
    settings = from_environment(os.environ)
    limits = Limits(given.temperature, given.max_tokens)
    sizes = QUICK if given.quick else FULL
    plan = Plan(given.policy or settings.policy, given.verifier or settings.verifier, limits, sizes, given.seeds)
    limit = given.problems_limit or (QUICK_PROBLEMS if given.quick else FULL_PROBLEMS)
    return Options(plan, given.problems, limit, given.workers, given.journal, given.quick)


def spread(items: Sequence[ProblemItem], limit: int) -> list[ProblemItem]:
    """At most `limit` problems, evenly over the file: it is in order of levels."""
    count = min(limit, len(items))
    return [items[at * len(items) // count] for at in range(count)]


def measure(chosen: Options) -> tuple[dict[str, Any], str]:
    """The JSON and the page. Raises ConfigurationError or EngineError."""
    items = spread(read_items(chosen.problems), chosen.limit)
    _, missing = peer_methods()
    for package, why in missing.items():
        say(f"{package} takes no part: {why}")
    began = time.monotonic()
    runs = collect(chosen.plan, items, chosen.workers, chosen.journal)
    points = points_of(runs)
    rows = compared(points)
    limits = chosen.plan.limits
    facts = {
        "problems": len(items),
        "seeds": chosen.plan.seeds,
        "temperature": limits.temperature,
        "max_tokens": limits.max_tokens,
        "policy": Path(chosen.plan.policy).name,
        "verifier": Path(chosen.plan.verifier).name,
        "seconds": round(time.monotonic() - began, 1),
        "workers": chosen.workers,
        "missing": missing,
        "notes": list(NOTES),
    }
    about = (
        f"{len(items)} problems of {chosen.problems.name}, {chosen.plan.seeds} seed(s), temperature "
        f"{limits.temperature:g}, at most {limits.max_tokens} tokens a call; 95 % paired bootstrap intervals over "
        "problems. Ours is read off our curve at the peer's FLOPs (policy and verifier)."
    )
    notes = "\n".join(f"* {note}" for note in NOTES)
    page = f"{about}\n\n{comparison_table(rows)}\n\n{notes}\n\nAll points:\n\n{curve_table(points)}"
    return result(rows, points, facts), page


def command_of(chosen: Options) -> str:
    plan = chosen.plan
    parts = f"--problems-limit {chosen.limit} --seeds {plan.seeds} --workers {chosen.workers}"
    return f"python -m evaluation.peers {parts} --temperature {plan.limits.temperature:g}"


def main(arguments: Sequence[str] | None = None) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    chosen = options(arguments)
    try:
        with quiet():
            found, page = measure(chosen)
    except DeliberateError as error:
        say(error.message)
        return 2
    finish("peers", command_of(chosen), found, page, full=not chosen.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
