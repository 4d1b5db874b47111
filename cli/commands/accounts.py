"""`deliberate usage` and `deliberate audit`: what was used, and who did what."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli import admin, options


def usage(
    tenant: options.Tenant = None,
    since: Annotated[str | None, typer.Option(help="A day such as 2026-11-01, or 30d; left out: everything.")] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Tokens, FLOPs and money by tenant and UTC day."""
    given = {"tenant": tenant, "since": admin.since_day(since)}
    with admin.service(url) as service:
        page = service.get("/v1/admin/usage", {name: value for name, value in given.items() if value is not None})
    if as_json:
        admin.print_json(page)
        return
    columns = ("day", "tenant", "calls", "generated", "verified", "prompt", "flops", "cost")
    names = ("calls", "generated_tokens", "verified_tokens", "prompt_tokens", "flops", "cost")
    rows = [(day["day"], day["tenant"] or day["tenant_id"], *(day[name] for name in names)) for day in page["data"]]
    admin.print_table(columns, rows)


def audit(
    tenant: Annotated[str | None, typer.Option(help="Id of a tenant, also of one that is gone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 50,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Who changed keys and tenants, and who cancelled and deleted jobs; newest first."""
    params = {"limit": limit} | ({} if tenant is None else {"tenant": tenant})
    with admin.service(url) as service:
        page = service.get("/v1/admin/audit", params)
    if as_json:
        admin.print_json(page)
        return
    columns = ("at", "actor", "action", "tenant", "object", "details")
    rows = [
        (admin.minute(one["at"]), one["actor"], one["action"], one["tenant_id"], one["object_id"], _details(one))
        for one in page["data"]
    ]
    admin.print_table(columns, rows)


def _details(entry: dict[str, object]) -> str:
    return json.dumps(entry["details"], ensure_ascii=False) if entry["details"] else ""
