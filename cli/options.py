"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from domain.effort import EFFORTS
from domain.recipe import DEFAULT_STRATEGY, SPECS

STRATEGIES = f"By name: {', '.join(SPECS)}."

Problem = Annotated[str, typer.Argument(help="The problem's text; `-` reads it from standard input.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="A job's id, as `submit` printed it.")]
Strategy = Annotated[
    str | None,
    typer.Option("--strategy", "-s", help=f"{STRATEGIES} Left out: {DEFAULT_STRATEGY}, or adaptive with --effort."),
]
OneStrategy = Annotated[str, typer.Option("--strategy", "-s", help=STRATEGIES)]
Effort = Annotated[
    str | None, typer.Option("--effort", "-e", help=f"Preset of the adaptive strategy: {', '.join(EFFORTS)}.")
]
N = Annotated[int | None, typer.Option("--n", "-n", help="Solutions to sample.")]
Parameters = Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value of the strategy; repeatable.")]
Tokens = Annotated[int | None, typer.Option(help="Budget: generated plus verified tokens.")]
Flops = Annotated[float | None, typer.Option(help="Budget: floating-point operations.")]
Rollouts = Annotated[int | None, typer.Option(help="Budget: policy calls that sample text.")]
Seconds = Annotated[float | None, typer.Option(help="Budget: wall-clock seconds.")]
Confidence = Annotated[float | None, typer.Option("--confidence", "-c", help="Stop at this certainty, 0 to 1.")]
Seed = Annotated[int | None, typer.Option(help="Of everything random; left out: one is drawn.")]
Url = Annotated[str | None, typer.Option("--url", help="Address of the service; default: the one of DELIBERATE_HOME.")]
Tenant = Annotated[str | None, typer.Option(help="Id or name of a tenant; left out: all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
