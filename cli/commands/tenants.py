"""`deliberate tenants`: who shares this service, and within which limits."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import admin, options
from domain.limits import LIMIT_NAMES

ROUTE = "/v1/admin/tenants"
OneTenant = Annotated[str, typer.Argument(metavar="TENANT", help="Id or name.")]
Weight = Annotated[str | None, typer.Option(help="Share of slots and search steps, relative to the others'; 1.")]
MaxRunning = Annotated[str | None, typer.Option(help="Jobs in progress at once, or none. 0 pauses the tenant.")]
MaxQueued = Annotated[str | None, typer.Option(help="Waiting jobs, or none; more are refused.")]
TokensPerDay = Annotated[str | None, typer.Option(help="Generated plus verified tokens of a UTC day, or none.")]
CostPerDay = Annotated[str | None, typer.Option(help="Money of a UTC day, where prices are set, or none.")]
RequestsPerMinute = Annotated[str | None, typer.Option(help="HTTP requests, or none.")]
RetentionDays = Annotated[str | None, typer.Option(help="Ended jobs are erased after so many days; none: never.")]

app = typer.Typer(help="Tenants and their limits: list, create, set, delete.", no_args_is_help=True)


@app.command("list")
def list_tenants(as_json: options.AsJson = False, url: options.Url = None) -> None:
    """All tenants with their limits."""
    with admin.service(url) as service:
        page = service.get(ROUTE, {})
    if as_json:
        admin.print_json(page)
    else:
        _print(page["data"])


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Of a-z, 0-9, '.', '_' and '-'.")],
    weight: Weight = None,
    max_running: MaxRunning = None,
    max_queued: MaxQueued = None,
    tokens_per_day: TokensPerDay = None,
    cost_per_day: CostPerDay = None,
    requests_per_minute: RequestsPerMinute = None,
    retention_days: RetentionDays = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Make a tenant; `deliberate keys create --tenant NAME LABEL` then gives it a key."""
    values = (weight, max_running, max_queued, tokens_per_day, cost_per_day, requests_per_minute, retention_days)
    with admin.service(url) as service:
        _said(service.post(ROUTE, {"name": name, **_limits(*values)}), as_json)


@app.command("set")
def set_limits(
    tenant: OneTenant,
    weight: Weight = None,
    max_running: MaxRunning = None,
    max_queued: MaxQueued = None,
    tokens_per_day: TokensPerDay = None,
    cost_per_day: CostPerDay = None,
    requests_per_minute: RequestsPerMinute = None,
    retention_days: RetentionDays = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Change the limits that are given; they hold within seconds."""
    values = (weight, max_running, max_queued, tokens_per_day, cost_per_day, requests_per_minute, retention_days)
    with admin.service(url) as service:
        _said(service.post(f"{ROUTE}/{admin.segment(tenant)}", _limits(*values)), as_json)


@app.command()
def delete(
    tenant: OneTenant,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: options.Url = None,
) -> None:
    """Erase a tenant with its keys, jobs and everything else."""
    if not yes:
        typer.confirm(f"Erase {tenant} with all its jobs and keys?", abort=True)
    with admin.service(url) as service:
        service.delete(f"{ROUTE}/{admin.segment(tenant)}")
    typer.echo(f"{tenant} is erased")


def _limits(*values: str | None) -> dict[str, Any]:
    return admin.limit_values(dict(zip(LIMIT_NAMES, values, strict=True)))


def _said(tenant: dict[str, Any], as_json: bool) -> None:
    if as_json:
        admin.print_json(tenant)
    else:
        _print([tenant])


def _print(tenants: list[dict[str, Any]]) -> None:
    columns = ("tenant", "name", *(name.replace("_", " ") for name in LIMIT_NAMES))
    rows = [(one["id"], one["name"], *(one["limits"][name] for name in LIMIT_NAMES)) for one in tenants]
    admin.print_table(columns, rows)
