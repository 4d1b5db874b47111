"""Accuracy against FLOPs of every method, with everything charged, on problems that nothing was trained or tuned on.

    python -m evaluation.curves [--quick] [--models models] [--workers 1] [--budget-minutes M]

Each method runs through the service's own loop. Whole solutions are sampled once into pools that all methods share;
methods that expand steps run on the engines, on fewer problems; those that revise have `evaluation.revisions`. Beside
each method that a verifier guides stands the same one guided by the exact checker. What was measured is kept in a
journal: the same command goes on from there. The last line of stdout is one JSON object; a full run also writes
docs/results/curves.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.errors import DeliberateError
from evaluation.curving.figures import draw
from evaluation.curving.journal import open_folder
from evaluation.curving.methods import NESTED
from evaluation.curving.page import markdown, write_csv
from evaluation.curving.parts import Extent, parts, spread
from evaluation.curving.pools import Sampling
from evaluation.curving.result import measured
from evaluation.curving.table import Table
from evaluation.curving.work import Job, carry_out, left_out
from evaluation.quality.collect import models_in
from evaluation.quality.problems import TEST, read_items
from evaluation.quality.record import ProblemItem
from evaluation.report import RESULTS, finish, say
from orchestrator.calibration import FILE
from orchestrator.known import CHARGING

MODELS = Path(__file__).resolve().parent.parent / "models"
QUICK_PROBLEMS, QUICK_LIVE, QUICK_N = 15, 5, 16
ORDINARY = (".safetensors", ".json")


def setting(models: Mapping[str, str | None], how: Sampling, problems: Path) -> dict[str, Any]:
    """What a journal's numbers depend on, by content: models with their calibration, sampling, problems, charging.

    A reviser counts where it is named as a model of its own, or by a calibration that was fitted for it.
    """
    found: dict[str, Any] = {name: _digest(spec) for name, spec in models.items()}
    found |= {"problems": hashlib.blake2b(problems.read_bytes(), digest_size=8).hexdigest(), "charging": CHARGING}
    return found | {"temperature": how.temperature, "max_tokens": how.max_tokens}


def _digest(spec: str | None) -> str | None:
    if spec is None or not Path(spec).is_dir():
        return spec
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(spec).iterdir()):
        if path.suffix in ORDINARY and path.name != "manifest.json":
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def journal_of(chosen: Path | None, name: str, described: Mapping[str, Any]) -> Path:
    """The chosen folder, or one in the machine's place for temporary files that this setting finds again."""
    mark = hashlib.blake2b(repr(sorted(described.items())).encode(), digest_size=6).hexdigest()
    folder = chosen or Path(tempfile.gettempdir()) / f"deliberate-{name}-{mark}"
    open_folder(folder, described)
    say(f"what is measured is kept in {folder}: the same command goes on from there")
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        if chosen.quick:
            with tempfile.TemporaryDirectory() as scratch:
                result = run(chosen, chosen.journal or Path(scratch) / "quick", began)
        else:
            result = run(chosen, chosen.journal, began)
    except DeliberateError as error:
        say(f"error: {error}")
        return 2
    table = markdown(result)
    if not chosen.quick:
        table += _extras(result, RESULTS / "curves")
    finish("curves", _command(arguments), result, table, full=not chosen.quick)
    return 0


def run(chosen: argparse.Namespace, journal: Path | None, began: float) -> dict[str, Any]:
    """Measures and sums up. Raises ConfigurationError or EngineError."""
    models = models_in(chosen.models)
    how = Sampling(chosen.temperature, chosen.max_tokens)
    extent = _extent(chosen, tuple(read_items(chosen.problems)))
    described = setting({"policy": models.policy, "verifier": models.verifier}, how, chosen.problems)
    job = Job(
        models.policy,
        models.verifier,
        how,
        parts(extent),
        journal_of(journal, "curves", described),
        None if chosen.budget_minutes is None else time.time() + 60 * chosen.budget_minutes,
        chosen.device,
    )
    rows = carry_out(job, chosen.workers)
    seeds = set(extent.seeds)
    # Other benchmarks keep their searches in this journal, too.
    names = {one.name for one in NESTED} | {name for part in job.parts for name in part.methods}
    table = Table(extent.items, [one for one in rows if one.seed in seeds and one.method in names])
    calibrated = (Path(models.policy) / FILE).is_file()
    return measured(table) | {
        "n": len(extent.items),
        "live_n": len(extent.live_items),
        "seeds": list(extent.seeds),
        "temperature": how.temperature,
        "max_tokens": how.max_tokens,
        "calibration": "with the policy's calibration" if calibrated else "without a calibration",
        "left_out": left_out(job, rows),
        "setting": described,
        "workers": chosen.workers,
        "seconds": round(time.monotonic() - began, 1),
    }


def _extent(chosen: argparse.Namespace, items: tuple[ProblemItem, ...]) -> Extent:
    if chosen.quick:
        few = spread(items, QUICK_PROBLEMS)
        return Extent(few, QUICK_LIVE, (chosen.seeds[0],), min(QUICK_N, chosen.samples))
    few = spread(items, chosen.n or len(items))
    return Extent(few, chosen.live_problems, tuple(chosen.seeds), chosen.samples)


def _extras(result: Mapping[str, Any], folder: Path) -> str:
    """Writes the CSV and the figures; gives the Markdown that shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    write_csv(folder / f"{date}.csv", result["curves"])
    shown = "\n\n".join(f"![{title}]({name}.png)" for name, title in draw(result["curves"], folder, date).items())
    return f"\n\n## Figures\n\n{shown}\n\nAll numbers: [{date}.csv]({date}.csv)."


def _command(arguments: Sequence[str] | None) -> str:
    return " ".join(["python -m evaluation.curves", *(sys.argv[1:] if arguments is None else arguments)])


def at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add: Any = parser.add_argument
    add("--quick", action="store_true", help=f"{QUICK_PROBLEMS} problems, n ≤ {QUICK_N}, one seed; writes no page")
    add("--n", type=at_least_one, help="problems, of all levels alike (all)")
    add("--live-problems", type=at_least_one, default=100, help="of these for methods on steps")
    add("--samples", type=at_least_one, default=256, help="the largest n")
    add("--seeds", type=int, nargs="+", default=[1, 2, 3])
    add("--budget-minutes", type=float, help="begin nothing after this; the page says what was left out")
    shared_options(add)
    return parser


def shared_options(add: Any) -> None:
    """Options that `evaluation.exchange` has as well."""
    add("--models", type=Path, default=MODELS, help="folder of the model folders")
    add("--problems", type=Path, default=TEST, help="JSONL of `deliberate problems make --split test`")
    add("--journal", type=Path, help="where what is measured is kept (a folder for temporary files)")
    add("--temperature", type=float, default=0.8)
    add("--max-tokens", type=at_least_one, default=384, help="longest solution")
    add("--workers", type=at_least_one, default=1, help="processes of one thread each")
    add("--device", default="cpu", help="cpu, cuda or auto")


if __name__ == "__main__":
    sys.exit(main())
