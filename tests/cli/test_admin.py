"""The operator's commands against a running service, from a tenant's making to its end."""

from __future__ import annotations

import json

import httpx
import pytest

from cli import admin
from cli.main import BAD_INPUT, run
from cli.stack.background import BackgroundStack
from domain.errors import InvalidRequest


@pytest.mark.integration
def test_a_tenants_life(
    stack: BackgroundStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DELIBERATE_HOME", str(stack.settings.home))

    def say(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert run(arguments) == code
        out, err = capsys.readouterr()
        return err if code else out

    made = json.loads(say("tenants", "create", "acme", "--weight", "2", "--max-queued", "10", "--json"))
    assert made["limits"] | {"weight": 2, "max_queued": 10} == made["limits"]
    assert "there is a tenant of this name" in say("tenants", "create", "acme", code=BAD_INPUT)
    assert "acme" in say("tenants", "set", "acme", "--max-queued", "none", "--retention-days", "30")
    assert json.loads(say("tenants", "list", "--json"))["data"][-1]["limits"]["max_queued"] is None
    token = say("keys", "create", "laptop", "--tenant", "acme", "--scope", "jobs:read", "--expires", "30d").strip()
    key = json.loads(say("keys", "list", "--tenant", "acme", "--json"))["data"][0]
    assert (key["label"], key["scopes"], key["id"].removeprefix("key_") in token) == ("laptop", ["jobs:read"], True)

    def status(secret: str) -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx.get(f"{stack.url}/v1/reasoning/jobs", headers=headers, trust_env=False).status_code

    newer = say("keys", "rotate", key["id"], "--overlap", "1h").strip()
    assert (status(token), status(newer)) == (200, 200)
    assert "revoked" in say("keys", "revoke", key["id"])
    assert (status(token), status(newer)) == (401, 401)
    assert "generated" in say("usage", "--since", "7d")
    log = [entry["action"] for entry in json.loads(say("audit", "--tenant", made["id"], "--json"))["data"]]
    assert log == ["key.revoked", "key.rotated", "key.created", "tenant.set", "tenant.created"]
    assert token not in say("audit")
    assert "erased" in say("tenants", "delete", "acme", "--yes")
    assert "no such tenant" in say("tenants", "set", "acme", "--weight", "1", code=BAD_INPUT)


def test_values_are_read_as_people_write_them() -> None:
    assert admin.limit_values(
        {"weight": "0.5", "max_queued": "none", "max_running": None, "tokens_per_day": "1e6"}
    ) == {
        "weight": 0.5,
        "max_queued": None,
        "tokens_per_day": 1_000_000,
    }
    assert [admin.seconds(text, "t") for text in ("90s", "15m", "2h", "1d", "7")] == [90, 900, 7200, 86_400, 7]
    assert admin.since_day("2026-11-01") == "2026-11-01"


@pytest.mark.parametrize("text", ["", "x", "1w", "d", "99999999999d", "2026-13-01"])
def test_what_makes_no_sense_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(InvalidRequest):
        admin.since_day(text)
    with pytest.raises(InvalidRequest):
        admin.limit_values({"weight": text})
    with pytest.raises(InvalidRequest):
        admin.seconds(text if text != "99999999999d" else "-", "t")
