"""What every refusal of the API must look like."""

from __future__ import annotations

import httpx

from api import schemas


def check_problem(response: httpx.Response, status: int, param: str | None = None) -> str:
    """RFC 9457 with the `error` member; gives the message."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = schemas.Problem.model_validate_json(response.content)
    assert problem.status == status
    assert problem.detail == problem.error.message
    assert problem.request_id == response.headers["x-request-id"]
    assert problem.error.param == param
    assert len(problem.detail) <= 500
    assert "\n" not in problem.detail
    return problem.detail
