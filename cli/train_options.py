"""Options that the trainers share, and a way to give them to each command.

Law: each is declared once; a command that asks for `settings` gets them checked, as one value.
"""

from __future__ import annotations

import functools
import inspect
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

Policy = Annotated[str, typer.Option("--policy", "-m", help="Folder, or id on the Hugging Face hub, of the model.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")]
Test = Annotated[Path | None, typer.Option(help="A problem file that may share no problem with the training data.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a model that is there.")]
Separator = Annotated[str | None, typer.Option(help="Text after each step; left out: a blank line.")]
Samples = Annotated[int | None, typer.Option(min=1, help="Solutions to sample for each problem.")]
Rollouts = Annotated[int | None, typer.Option(min=1, help="Continuations of each step, for its label.")]
Temperature = Annotated[float, typer.Option(help="Of the samples.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Of each sample.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that sample, of one core each.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result on one machine.")]

SHARED: dict[str, tuple[Any, Any]] = {
    "epochs": (Annotated[int, typer.Option(help="Passes over the data.")], 1),
    "max_steps": (Annotated[int | None, typer.Option(help="Optimiser steps, instead of --epochs.")], None),
    "batch_size": (Annotated[int, typer.Option(help="Rows of a micro-batch on each device.")], 8),
    "batch_tokens": (Annotated[int | None, typer.Option(help="Tokens of one, instead of --batch-size.")], None),
    "accumulate": (Annotated[int, typer.Option(help="Micro-batches of each step.")], 1),
    "learning_rate": (Annotated[float | None, typer.Option(help="Peak; left out: 1e-5, or 2e-4 with --lora.")], None),
    "seed": (Seed, 0),
    "max_length": (Annotated[int | None, typer.Option(help="Tokens; longer rows are left out, never cut.")], None),
    "lora": (Annotated[int | None, typer.Option(metavar="RANK", help="Train an adapter, not all weights.")], None),
    "keep_adapter": (Annotated[bool, typer.Option("--keep-adapter", help="Save it unmerged.")], False),
    "save_every": (Annotated[int, typer.Option(help="Steps between two checkpoints.")], 100),
    "device": (Annotated[str, typer.Option(help="auto or cpu.")], "auto"),
}  # fmt: skip
"""Fields of `training.hf.settings.Settings`: (type, default)."""


def with_settings(function: Callable[..., None]) -> Callable[..., None]:
    """A command with the SHARED options in the place of `settings`, and its own text in the place of `command`."""
    given = inspect.signature(function, eval_str=True).parameters
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in given.items()
        if name not in ("settings", "command")
    ]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in SHARED.items()
    ]

    @functools.wraps(function)
    def call(*, context: typer.Context, **values: Any) -> None:
        from training.hf.settings import Settings

        settings = Settings(**{name: values.pop(name) for name in SHARED})
        function(**values, settings=settings, command=command_of(context))

    parameters = [context, *own, *shared]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def command_of(context: typer.Context) -> str:
    """The command as one would type it, with what differs from the defaults."""
    names = []
    place: Any = context
    while place.parent is not None:
        names.append(place.info_name)
        place = place.parent
    words = ["deliberate", *reversed(names)]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if value in (None, False) or value == parameter.default:
            continue
        words += [max(parameter.opts, key=len), *([] if value is True else [str(value)])]
    return shlex.join(words)
