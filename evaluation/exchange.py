"""Test-time compute for parameters: a small model with search against a large one at equal FLOPs, by level.

    python -m evaluation.exchange [--quick] [--models models] [--small small] [--workers 1] [--budget-minutes M]

The model that `--small` names samples, and searches with models/verifier (charged), and with its reviser and its
calibration where it has them; models/large answers greedily, and by votes. Keys: `small_parameters`,
`large_parameters`, `ratio`, and `at_equal_flops`: for the large model's greedy answer and its votes, on each level, its
accuracy and that of each small method at the same FLOPs, with intervals. A full run also writes docs/results/exchange,
or docs/results/exchange-NAME for another small model than models/small.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError, DeliberateError
from evaluation.curves import at_least_one, journal_of, setting, shared_options
from evaluation.curving.figures import sheet
from evaluation.curving.methods import ADAPTIVE, GREEDY, SURE_PARTICLES
from evaluation.curving.page import write_csv
from evaluation.curving.parts import spread
from evaluation.curving.pools import Sampling
from evaluation.curving.rows import VERIFIER, Row
from evaluation.curving.traded import LARGE, SMALL, markdown, traded
from evaluation.curving.work import Job, Part, carry_out, left_out
from evaluation.quality.problems import read_items
from evaluation.quality.record import ProblemItem
from evaluation.report import RESULTS, finish, say

QUICK_PROBLEMS, QUICK_N = 15, 8
SEARCHES = (ADAPTIVE, SURE_PARTICLES)
SEARCHED = (4, 16, 64, 128)
"""Sizes of the small model's searches, up to its largest n."""
VOTES = 16
"""Most solutions of the large model."""


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    try:
        if chosen.quick:
            with tempfile.TemporaryDirectory() as scratch:
                result = run(chosen, chosen.journal or Path(scratch) / "quick")
        else:
            result = run(chosen, chosen.journal)
    except DeliberateError as error:
        say(f"error: {error}")
        return 2
    page, name = markdown(result), "exchange" if chosen.small == SMALL else f"exchange-{chosen.small}"
    if not chosen.quick:
        page += _extras(result, RESULTS / name)
    command = " ".join(["python -m evaluation.exchange", *(sys.argv[1:] if arguments is None else arguments)])
    finish(name, command, result, page, full=not chosen.quick)
    return 0


def run(chosen: argparse.Namespace, journal: Path | None) -> dict[str, Any]:
    """Measures both models, the large one first. Raises ConfigurationError or EngineError."""
    began, deadline = time.monotonic(), None
    if chosen.budget_minutes is not None:
        deadline = time.time() + 60 * chosen.budget_minutes
    items = spread(read_items(chosen.problems), QUICK_PROBLEMS if chosen.quick else chosen.n)
    seeds, most = ((chosen.seeds[0],), QUICK_N) if chosen.quick else (tuple(chosen.seeds), chosen.samples)
    rows: dict[str, list[Row]] = {}
    missing: list[str] = []
    for model, name, verifier in ((LARGE, LARGE, None), (SMALL, chosen.small, "verifier")):
        policy, scorer = _folder(chosen.models, name), verifier and _folder(chosen.models, verifier)
        how = Sampling(chosen.temperature, chosen.max_tokens)
        described = setting({"policy": policy, "verifier": scorer}, how, chosen.problems)
        folder = journal_of(journal and journal / name, f"exchange-{name}", described)
        work = _parts(model, items, seeds, most)
        job = Job(policy, scorer, how, work, folder, deadline, chosen.device, checked=False)
        found = carry_out(job, chosen.workers)
        rows[model] = [one for one in found if one.seed in seeds]
        missing += [f"{model}: {one}" for one in left_out(job, found)]
    return traded(rows, items) | {
        "small": chosen.small, "n": len(items), "seeds": list(seeds), "temperature": chosen.temperature,
        "left_out": missing, "workers": chosen.workers, "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def _folder(models: Path, name: str) -> str:
    if not (models / name).is_dir():
        raise ConfigurationError(f"{models / name} is missing: name a folder with small/, large/ and verifier/")
    return str(models / name)


def _parts(model: str, items: Sequence[ProblemItem], seeds: Sequence[int], most: int) -> tuple[Part, ...]:
    """One seed of everything, then the next."""
    size = min(most, VOTES) if model == LARGE else most
    sizes = tuple(2**at for at in range(size.bit_length()) if 2**at <= size)
    found = []
    for seed in seeds:
        name = f"{model}: pools of {size}, seed {seed}"
        found.append(Part(name, tuple(items), seed, size, sizes, (GREEDY.name,), (1,)))
        if model == SMALL:
            budgets = tuple(n for n in SEARCHED if n <= most)
            found.append(Part(f"{model}: searches, seed {seed}", tuple(items), seed, size, sizes, SEARCHES, budgets))
    return tuple(found)


def _extras(result: Mapping[str, Any], folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    write_csv(folder / f"{date}.csv", result["curves"])
    groups = list(result["at_equal_flops"].get("greedy", {"all": None}))
    title = "A small model with search against a large one, by level"
    curves = {name: one for name, one in result["curves"].items() if name.endswith(VERIFIER)}
    sheet(folder / f"{date}-exchange", title, groups, curves)
    return f"\n\n## Figure\n\n![{title}]({date}-exchange.png)\n\nAll numbers: [{date}.csv]({date}.csv)."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add: Any = parser.add_argument
    add("--quick", action="store_true", help=f"{QUICK_PROBLEMS} problems, n ≤ {QUICK_N}, one seed; writes no page")
    add("--n", type=at_least_one, default=500, help="problems, of all levels alike")
    add("--small", default=SMALL, metavar="NAME", help="the small model's folder within --models")
    add("--samples", type=at_least_one, default=64, help="the small model's largest n")
    add("--seeds", type=int, nargs="+", default=[1, 2, 3])
    add("--budget-minutes", type=float, help="begin nothing after this; the page says what was left out")
    shared_options(add)
    return parser


if __name__ == "__main__":
    sys.exit(main())
