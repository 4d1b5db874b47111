"""OpenAPI links: which answer holds the id that another route takes, so that tools (and readers) find their way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_PARAMETER = re.compile(r"\{([^}]+)\}")
_ELSEWHERE = {"delivery_id": ("get", "/v1/reasoning/jobs/{job_id}/deliveries", "$response.body#/data/0/id")}
"""Ids that no POST to their collection gives."""


def with_links(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a link from what gives an id to every route that takes it."""
    paths = document["paths"]
    for path, operation in _operations(paths):
        for parameter in _PARAMETER.findall(path):
            collection = path[: path.index("{" + parameter + "}")].rstrip("/")
            method, source, where = _ELSEWHERE.get(parameter, ("post", collection, "$response.body#/id"))
            giver = paths.get(source, {}).get(method)
            if giver is not None and giver is not operation:
                _link(giver, operation["operationId"], parameter, where)
    return document


def _operations(paths: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in paths.items():
        for operation in item.values():
            if isinstance(operation, dict) and "operationId" in operation:
                yield path, operation


def _link(giver: dict[str, Any], operation: str, parameter: str, where: str) -> None:
    for status, response in giver["responses"].items():
        if status.startswith("2"):
            link = {"operationId": operation, "parameters": {parameter: where}}
            response.setdefault("links", {})[operation] = link
