"""`deliberate up`: the whole service in one terminal, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Annotated

import typer

from cli.stack.supervisor import Happening, Moment


def up(
    port: Annotated[int | None, typer.Option(help="Instead of DELIBERATE_PORT; 0 takes a free one.")] = None,
) -> None:
    """Start the service and its own Postgres, Redis and Ray, and keep them running until Ctrl-C."""
    from cli.stack.stack import Stack
    from domain.settings import from_environment

    env = dict(os.environ)
    if port is not None:
        env["DELIBERATE_PORT"] = str(port)
    began = time.monotonic()
    asyncio.run(_run(Stack(from_environment(env), env, _say), began))


async def _run(stack: object, began: float) -> None:
    from cli.stack.stack import Stack

    assert isinstance(stack, Stack)
    stop = _on_signal()
    starting = asyncio.ensure_future(stack.start())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        # A signal during the start ends it, too.
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            _greet(stack, began)
            await stop.wait()
            typer.echo("stopping: searches are given back, then everything ends")
        else:
            starting.cancel()
            await asyncio.wait({starting})
    finally:
        stopping.cancel()
        ended = time.monotonic()
        await stack.stop()
        if stack.url:
            typer.echo(f"stopped in {time.monotonic() - ended:.1f} s")


def _on_signal() -> asyncio.Event:
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, event.set)
    return event


def _greet(stack: object, began: float) -> None:
    from cli.stack.home import API_KEY_FILE
    from cli.stack.stack import Stack

    assert isinstance(stack, Stack)
    home = stack.settings.home
    if stack.left_over:
        typer.echo(f"ended {stack.left_over} processes that a killed stack had left")
    typer.echo(f"ready after {time.monotonic() - began:.1f} s")
    typer.echo(f"  API   {stack.url}")
    typer.echo(f"  key   {home / API_KEY_FILE}")
    typer.echo(f"  logs  {home / 'logs'}")
    typer.echo("Ctrl-C stops everything. In another terminal: deliberate submit --wait 'What is 7 * 8 - 4?'")


def _say(happening: Happening) -> None:
    if happening.moment is Moment.READY:
        note = f"  {happening.note}" if happening.note else ""
        typer.echo(f"  {happening.child:<13}{happening.seconds:5.1f} s{note}")
    elif happening.moment is Moment.CRASHED:
        typer.echo(f"  {happening.child:<13}ended: {happening.note}", err=True)
