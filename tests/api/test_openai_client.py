"""The unmodified OpenAI client against the server, over a loopback socket and with strict validation: the checks of
`evaluation.conformance`, by this interpreter. All three majors are run by `python -m evaluation.conformance`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from api.facade import following
from domain.settings import Settings
from evaluation import conformance
from tests.api.conftest import KEY
from tests.support.served import served

pytestmark = pytest.mark.integration
POLICY = "scripted:accuracy=0.7,tokens=40,delay_ms=10"
ONE_AFTER_ANOTHER = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
for script in sys.argv[2:]:
    runpy.run_path(script, run_name="__main__")
"""
"""One process, as importing the client takes longer than its checks."""
OURS = ("chat", "files", "models", "responses")


@pytest.fixture
def url(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(following, "GRACE_S", 1.2)
    scripted = {"policy": POLICY, "verifier": conformance.VERIFIER}
    with served(replace(settings, **scripted)) as address:
        yield address


def test_every_call_of_the_client_works(url: str) -> None:
    scripts = [path for path in conformance.scripts() if path.stem in OURS]
    assert len(scripts) == len(OURS)
    env = {"PATH": os.environ["PATH"], "CONFORMANCE_URL": url, "CONFORMANCE_KEY": KEY}
    command = [sys.executable, "-c", ONE_AFTER_ANOTHER, conformance.CHECKS, *scripts]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    for script, line in zip(scripts, done.stdout.splitlines(), strict=True):
        result = json.loads(line)
        assert result["failed"] == {}, script.stem
        assert len(result["passed"]) >= 2


def test_a_failed_check_is_named_and_a_dead_script_is_one() -> None:
    failed, missing = {"y": "AssertionError: z"}, {"w": "client.webhooks.create"}
    whole = {"script": "a", "version": "9.1", "passed": ["x"], "failed": failed, "absent": missing}
    dead = {"script": "b", "version": None, "passed": [], "failed": {"the whole script": "IndexError"}, "absent": {}}
    result = conformance.summary({"9.1": [whole, dead]})
    assert result["failed"] == ["9.1/a/y: AssertionError: z", "9.1/b/the whole script: IndexError"]
    assert (result["passed"], result["versions"]["9.1"]["failed"]) == (1, 2)
    assert "| 9.1 | 1 | 0 | 2 | 1 |" in conformance.table(result)
    assert "openai 9.1 has no `client.webhooks.create`: w was not run" in conformance.table(result)
