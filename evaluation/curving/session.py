"""A benchmark on the curves' pools and journal: problems, models and sampling from the command line, rows in the end.

Law: benchmarks that are run with the same models, problems and sampling share one journal, so that none of them samples
again what another one has sampled.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import DeliberateError
from evaluation.curves import at_least_one, journal_of, setting, shared_options
from evaluation.curving.parts import spread
from evaluation.curving.pools import Sampling
from evaluation.curving.rows import VERIFIER, Row
from evaluation.curving.work import Job, Part, carry_out, left_out
from evaluation.quality.collect import models_in
from evaluation.quality.problems import read_items
from evaluation.quality.record import ProblemItem
from evaluation.report import say
from inference.checks import REVISER, has_reviser

QUICK_PROBLEMS = 15

Parts = Callable[[tuple[ProblemItem, ...], Sequence[int]], tuple[Part, ...]]
"""From problems and seeds to what is to be measured."""


@dataclass(frozen=True, slots=True)
class Session:
    items: tuple[ProblemItem, ...]
    seeds: tuple[int, ...]
    rows: Sequence[Row]
    """Of these problems and seeds, guided by the verifier."""
    about: dict[str, Any]
    """How it was run, for the result's JSON."""
    full: bool
    command: str


def session(
    name: str, arguments: Sequence[str], description: str | None, parts: Parts, *, revising: bool = False
) -> Session | None:
    """Measures; None after an error, which was said. `name` is the module's; `revising`: the reviser takes part."""
    chosen = _parser(description).parse_args(arguments)
    command = " ".join([f"python -m evaluation.{name}", *arguments])
    try:
        if not chosen.quick:
            return _session(chosen, chosen.journal, command, parts, revising)
        with tempfile.TemporaryDirectory() as scratch:
            return _session(chosen, chosen.journal or Path(scratch) / "quick", command, parts, revising)
    except DeliberateError as error:
        say(f"error: {error}")
        return None


def _session(chosen: argparse.Namespace, journal: Path | None, command: str, parts: Parts, revising: bool) -> Session:
    models, how = models_in(chosen.models), Sampling(chosen.temperature, chosen.max_tokens)
    known = tuple(read_items(chosen.problems))
    items = spread(known, QUICK_PROBLEMS if chosen.quick else chosen.n or len(known))
    seeds = tuple(chosen.seeds[:1] if chosen.quick else chosen.seeds)
    reviser = {"reviser": f"{models.policy}/{REVISER}"} if revising and has_reviser(models.policy) else {}
    described = setting({"policy": models.policy, "verifier": models.verifier, **reviser}, how, chosen.problems)
    deadline = None if chosen.budget_minutes is None else time.time() + 60 * chosen.budget_minutes
    folder = journal_of(journal, "curves", described)
    job = Job(models.policy, models.verifier, how, parts(items, seeds), folder, deadline, chosen.device, checked=False)
    began = time.monotonic()
    rows = carry_out(job, chosen.workers)
    about = {
        "problems": len(items), "seeds": list(seeds), "temperature": how.temperature, "left_out": left_out(job, rows),
        "setting": described, "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    return Session(items, seeds, of_session(rows, items, seeds), about, not chosen.quick, command)


def of_session(rows: Sequence[Row], items: Sequence[ProblemItem], seeds: Sequence[int]) -> list[Row]:
    """A shared journal holds more: other problems and seeds, and the exact checker's arms of the same searches."""
    ids = {item.id for item in items}
    return [one for one in rows if one.problem in ids and one.seed in seeds and one.arm == VERIFIER]


def _parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add: Any = parser.add_argument
    add("--quick", action="store_true", help=f"{QUICK_PROBLEMS} problems, one seed; writes no page")
    add("--n", type=at_least_one, help="problems, of all levels alike (all)")
    add("--seeds", type=int, nargs="+", default=[1, 2, 3])
    add("--budget-minutes", type=float, help="begin nothing after this; the page says what was left out")
    shared_options(add)
    return parser
