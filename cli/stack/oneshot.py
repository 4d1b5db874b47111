"""A program that runs to its end as a part of the start; its output goes to the log of its name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from cli.stack.child import Child, launch_command
from cli.stack.logs import log_path, open_log


async def run_to_end(child: Child, env: Mapping[str, str] | None, logs: Path) -> tuple[int, Path]:
    """Exit code and log. A caller that is cancelled ends the program."""
    with open_log(logs, child.name) as log:
        process = await asyncio.create_subprocess_exec(
            *launch_command(child), env=env, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=child.cwd
        )
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return code, log_path(logs, child.name)
