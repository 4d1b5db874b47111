"""`deliberate keys`: the key of this home for scripts, and for operators the keys of all tenants."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import admin, options
from domain.scopes import SCOPES

ROUTE = "/v1/admin/keys"
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="A key's id, as `deliberate keys list` shows it.")]

app = typer.Typer(help="API keys: show this home's, list, create, rotate, revoke.", no_args_is_help=True)


@app.command()
def show() -> None:
    """Print the API key that the commands use: curl -H "Authorization: Bearer $(deliberate keys show)" …"""
    from cli.service import find

    typer.echo(find(None).key)


@app.command("list")
def list_keys(tenant: options.Tenant = None, as_json: options.AsJson = False, url: options.Url = None) -> None:
    """All keys, without their secrets."""
    with admin.service(url) as service:
        page = service.get(ROUTE, {} if tenant is None else {"tenant": tenant})
    if as_json:
        admin.print_json(page)
        return
    columns = ("key", "tenant", "label", "state", "expires", "last used", "scopes")
    admin.print_table(columns, [_row(key) for key in page["data"]])


@app.command()
def create(
    label: Annotated[str, typer.Argument(help="What the key is for.")],
    tenant: Annotated[str, typer.Option(help="Id or name.")] = "default",
    scope: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(SCOPES)}; repeatable. Left out: all but the last.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="After so long, such as 90d; left out: never.")] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Make a key and print it. It can't be shown again."""
    body: dict[str, Any] = {"label": label, "tenant": tenant}
    body |= {} if not scope else {"scopes": scope}
    body |= {} if expires is None else {"expires_in_s": admin.seconds(expires, "expires")}
    with admin.service(url) as service:
        _print_token(service.post(ROUTE, body), as_json)


@app.command()
def rotate(
    key: KeyId,
    overlap: Annotated[str, typer.Option(help="So long the old one works too.")] = "24h",
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Give a key a new secret and print it."""
    with admin.service(url) as service:
        body = {"overlap_s": admin.seconds(overlap, "overlap")}
        _print_token(service.post(f"{ROUTE}/{admin.segment(key)}/rotate", body), as_json)


@app.command()
def revoke(key: KeyId, url: options.Url = None) -> None:
    """End a key, within seconds and for good."""
    with admin.service(url) as service:
        service.delete(f"{ROUTE}/{admin.segment(key)}")
    typer.echo(f"{key} is revoked")


def _print_token(key: dict[str, Any], as_json: bool) -> None:
    if as_json:
        admin.print_json(key)
    else:
        typer.echo(key["token"])


def _row(key: dict[str, Any]) -> tuple[object, ...]:
    state = key["source"] if key["revoked_at"] is None else f"revoked {admin.day(key['revoked_at'])}"
    days = admin.day(key["expires_at"]), admin.day(key["last_used_at"])
    return (key["id"], key["tenant_id"], key["label"], state, *days, " ".join(key["scopes"]))
