"""The `deliberate` command. Law: whatever goes wrong is one line on stderr that says what to do; exit code 2.

Startup stays light: each command imports what it needs when it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from cli.commands import (
    accounts,
    batch,
    calibrate,
    demo,
    doctor,
    jobs,
    keys,
    problems,
    replay,
    solve,
    tenants,
    train,
    up,
)
from domain.errors import DeliberateError

BAD_INPUT = 2
INTERRUPTED = 130
# Typer brings its own copy of click's exceptions, and makes only some of them public.
_UsageError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

app = typer.Typer(
    name="deliberate",
    help="An asynchronous reasoning service: the right amount of compute on a hard problem.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(up.up)
app.command()(jobs.submit)
app.command()(jobs.watch)
app.command()(jobs.result)
app.command()(jobs.cancel)
app.command("list")(jobs.list_jobs)
app.command()(solve.solve)
app.command()(replay.replay)
app.command()(doctor.doctor)
app.command()(demo.demo)
app.command()(accounts.usage)
app.command()(accounts.audit)
app.command()(calibrate.calibrate)
app.add_typer(keys.app, name="keys")
app.add_typer(tenants.app, name="tenants")
app.add_typer(batch.app, name="batch")
app.add_typer(problems.app, name="problems")
app.add_typer(train.app, name="train")


def run(arguments: Sequence[str]) -> int:
    """The command's exit code; its errors have been said."""
    try:
        code = app(args=list(arguments), standalone_mode=False)
        return code if isinstance(code, int) else 0
    except DeliberateError as error:
        return _refuse(error.message)
    except typer.Exit as exit_:
        return exit_.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except _UsageError as error:
        return _refuse(_usage(error))
    except BrokenPipeError:
        # Whoever read our output has left, e.g. `deliberate list | head`.
        sys.stderr.close()
        return 0


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def _usage(error: BaseException) -> str:
    message = error.format_message()  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    hint = "" if context is None else f" (see `{context.command_path} --help`)"
    return " ".join(f"{message}{hint}".split())


def _refuse(message: str) -> int:
    sys.stderr.write(f"deliberate: {' '.join(message.split())}\n")
    return BAD_INPUT


if __name__ == "__main__":
    main()
