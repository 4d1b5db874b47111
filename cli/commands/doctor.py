"""`deliberate doctor`: what works here and what does not, one line each."""

from __future__ import annotations

import os

import typer

SOMETHING_BAD = 1


def doctor() -> None:
    """Check Python, machine, ports, wheels, models, database, Redis, Ray and the running stack."""
    from cli.checks import run_all
    from domain.settings import from_environment

    bad = 0
    for check in run_all(from_environment(os.environ)):
        bad += not check.ok
        typer.echo(f"{'ok ' if check.ok else 'BAD'}  {check.name:<15} {check.note}")
    if bad:
        raise typer.Exit(SOMETHING_BAD)
