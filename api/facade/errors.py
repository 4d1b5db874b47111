"""Refusals as OpenAI's clients know them: what the caller did wrong is a 400 with a `param` and a `code`.

Routers of the compatible routes take `route_class=FacadeRoute`; the native routes answer the same mistakes by 422.
So a program finds the classes of errors that it catches with OpenAI (`BadRequestError`), whatever it calls.
Every POST is idempotent here too (`api.idempotency`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

from api.idempotency import OnceRoute
from api.problems import HttpProblem, validation_problem
from domain.errors import InvalidRequest

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class FacadeRoute(OnceRoute):
    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except InvalidRequest as error:
                raise _problem(error.message, error.param, error.code) from None
            except RequestValidationError as error:
                problem = validation_problem(error)
                raise _problem(problem.message, problem.param, problem.code) from None

        return answer


def _problem(message: str, param: str | None, code: str) -> HttpProblem:
    return HttpProblem(400, "invalid_value" if code == InvalidRequest.code else code, message, param=param)
