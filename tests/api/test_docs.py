"""The documentation page: whole by itself, and allowed to run nothing but its own script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.routes.docs import PAGE, POLICY, page
from client import Deliberate
from client.calls import JOBS

ROOT = Path(__file__).resolve().parents[2]


async def test_the_page_is_served_with_its_policy() -> None:
    response = await page()
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"] == POLICY
    assert POLICY.count("sha256-") == 2


def test_nothing_comes_from_elsewhere() -> None:
    assert not re.findall(r"https?://|//[a-z]+\.|@import|<link|<img|src=", PAGE)
    assert "innerHTML" not in PAGE, "what the document says is text"


@pytest.mark.parametrize("name", ["quickstart.md"])
def test_the_quick_start_names_routes_that_there_are(name: str) -> None:
    text = (ROOT / "docs" / name).read_text()
    assert JOBS in text
    for call in re.findall(r"deliberate\.jobs\.(\w+)\(", text):
        assert hasattr(Deliberate("http://x", "k").jobs, call)
