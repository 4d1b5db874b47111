"""`deliberate problems`: make problems with worked solutions, and check a file of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Make problems with worked solutions, and check files of them.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
MOST = 1_000_000


@app.command()
def make(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write: one JSON object on each line.")],
    split: Annotated[str, typer.Option(help="train, calibration or test; they never share a problem.")] = "train",
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=MOST, help="How many.")] = 500,
    subjects: Annotated[str | None, typer.Option(help="Comma-separated; left out: all six.")] = None,
    levels: Annotated[str | None, typer.Option(help="Comma-separated, from 1 to 5; left out: all.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same problems.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Write distinct problems, as many of each subject and level."""
    from itertools import islice

    from training.problems.catalogue import LEVELS, SUBJECTS
    from training.problems.files import write_problems
    from training.problems.partition import stream

    asked = _names(subjects) if subjects is not None else list(SUBJECTS)
    graded = _whole_numbers(levels) if levels is not None else list(LEVELS)
    made = stream(split, seed, subjects=asked, levels=graded)
    written = write_problems(out, islice(made, n), force=force)
    typer.echo(f"{written} {split} problems in {out}")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A file with one JSON object on each line.")],
    against: Annotated[Path | None, typer.Option(help="Another file, with which it may share no problem.")] = None,
    need: Annotated[str | None, typer.Option(help="Further fields that each line must have, e.g. solution.")] = None,
) -> None:
    """Check a problem file: fields, answers, duplicates, and overlap with another file."""
    from training.problems.files import NEEDED, read_problems, refuse_overlap

    records = read_problems(file, need=(*NEEDED, *_names(need or "")))
    if against is not None:
        refuse_overlap(file, records, against, read_problems(against))
    typer.echo(f"{file}: {len(records)} problems, all in order")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _whole_numbers(text: str) -> list[int]:
    try:
        return [int(name) for name in _names(text)]
    except ValueError:
        raise typer.BadParameter("levels are whole numbers from 1 to 5, with commas between them") from None
