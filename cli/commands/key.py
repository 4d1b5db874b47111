"""`deliberate key`: the API key of this home, for scripts: `curl -H "Authorization: Bearer $(deliberate key)" …`."""

from __future__ import annotations

import typer


def key() -> None:
    """Print the API key that the commands use."""
    from cli.service import find

    typer.echo(find(None).key)
