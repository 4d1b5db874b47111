"""One error type per boundary. Expected failures are values (see `domain.moves.Failed`); these are for callers.

Every error carries what the API and the CLI show: a stable code, one sentence that says what to do, and the
parameter at fault where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.budget import Spend


class DeliberateError(Exception):
    """Base of all errors that a user may see; its message is one line without secrets or prompts."""

    code = "server_error"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(DeliberateError):
    """The caller's input is wrong; `param` is the dotted path of the field, e.g. `budget.tokens`."""

    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, param=param)
        if code is not None:
            self.code = code
            """Where callers tell kinds of mistakes apart: `unsupported_parameter` and so on."""


class NotFound(DeliberateError):
    """No such object for this tenant (another tenant's object gives the same error)."""

    code = "not_found"


class UnknownModel(NotFound):
    """No model has this name."""

    code = "model_not_found"


class IdempotencyConflict(DeliberateError):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency_key_reused"


class RequestInFlight(DeliberateError):
    """The first request with this Idempotency-Key is still being answered."""

    code = "idempotency_key_in_use"


class LimitReached(DeliberateError):
    """A limit of the tenant is reached; `retry_after_s` says when trying again may help."""

    def __init__(self, message: str, *, code: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.code = code
        """`rate_limit_exceeded`, `queue_full` or `quota_exceeded`."""
        self.retry_after_s = retry_after_s


class ConfigurationError(DeliberateError):
    """A setting, model folder or local resource can't be used; the message names it and the remedy."""

    code = "configuration_error"


class Unavailable(DeliberateError):
    """A part that is needed now can't be reached (database, engines); trying again later may help."""

    code = "service_unavailable"


class LeaseLost(DeliberateError):
    """Another worker has claimed the job since (the fence moved on): stop at once and write nothing more."""

    code = "lease_lost"


class EngineError(DeliberateError):
    """An engine or verifier call did not give a result, or was aborted.

    `retryable` says whether the same call may succeed later; `cost` is what it had used until then, where known, and
    `ends` is that of `domain.ports.Completion`.
    """

    code = "engine_error"

    def __init__(
        self, message: str, *, retryable: bool = True, cost: Spend | None = None, ends: tuple[int, ...] = ()
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.cost = cost
        self.ends = ends


class TraceMismatch(DeliberateError):
    """The stored events can't be folded by this code: the strategy now asks something else than it did."""

    code = "trace_mismatch"
