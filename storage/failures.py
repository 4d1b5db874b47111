"""Which database errors are nobody's defect, and the one line that says what to do about them.

Law: the line has no values and no password. The driver's own errors do have them (`Failing row contains …`), so they
never leave `storage`: what is a defect of ours becomes StatementRefused, which names the broken constraint.
"""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import InvalidRequest, Unavailable

_UNREACHABLE = "the database can't be reached: check that Postgres runs and that DELIBERATE_DATABASE_URL is right"
_BY_STATE = {
    "28P01": "the database refused the user or password: check DELIBERATE_DATABASE_URL",
    "28000": "the database refused the user: check DELIBERATE_DATABASE_URL and Postgres' pg_hba.conf",
    "3D000": "the database named in DELIBERATE_DATABASE_URL does not exist: create it",
    "42P01": "the database has no tables of ours yet: run `python -m storage.migrate`",
    "42703": "the database's tables are older than this program: run `python -m storage.migrate`",
    "53100": "the database's disk is full: free some space, then try again",
    "53200": "the database is out of memory: try again later",
    "53300": "the database has no free connection: raise max_connections or run fewer processes",
    "57014": "the database took too long and the statement was stopped: try again later",
    "57P01": "the database is shutting down or restarting: try again in some seconds",
    "57P02": "the database is restarting after a crash: try again in some seconds",
    "57P03": "the database is starting up: try again in some seconds",
    "55P03": "the database's rows were held by somebody else for too long: try again",
    "40P01": "the database chose this transaction to end a deadlock: try again",
    "40001": "the database could not serialise this transaction: try again",
    "25006": "the database is read-only (a standby?): point DELIBERATE_DATABASE_URL at the primary",
}
_NOT_TEXT = frozenset({"22021", "22P05"})
_PASSWORD_HINT = "password authentication failed"


class StatementRefused(Exception):
    """Postgres refused a statement: a defect of this program, or a row that breaks a law of the tables."""

    def __init__(self, message: str, *, by_data: bool) -> None:
        super().__init__(message)
        self.by_data = by_data
        """Whether other values might have passed: the statement itself is sound."""


def translated(error: SQLAlchemyError | psycopg.Error) -> Exception:
    """The error that callers see instead of `error`."""
    if isinstance(error, PoolTimeout):
        return Unavailable("all database connections of this process are busy: try again in some seconds")
    if isinstance(error, psycopg.Error):
        return _of_driver(error)
    if not isinstance(error, DBAPIError):
        return error
    if isinstance(error.orig, psycopg.Error):
        return _of_driver(error.orig, lost=error.connection_invalidated)
    return Unavailable(_unreachable(str(error.orig)))


def _of_driver(error: psycopg.Error, *, lost: bool = False) -> Exception:
    state = error.sqlstate
    if state in _BY_STATE:
        return Unavailable(_BY_STATE[state])
    if state in _NOT_TEXT or (state is None and isinstance(error, psycopg.DataError)):
        # Without a state: the driver's own check.
        return InvalidRequest("the text holds characters that can't be stored: remove them")
    if lost or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Unavailable(_unreachable(str(error)))
    return _refused(error)


def _refused(error: psycopg.Error) -> StatementRefused:
    state, constraint = error.sqlstate, error.diag.constraint_name
    message = f"{type(error).__name__} ({state or 'no SQLSTATE'})"
    if constraint:
        message += f", constraint {constraint}"
    return StatementRefused(message, by_data=state is not None and state[:2] in ("22", "23"))


def _unreachable(reason: str) -> str:
    # A refused connection has no SQLSTATE in libpq, only its text.
    if _PASSWORD_HINT in reason:
        return _BY_STATE["28P01"]
    if "does not exist" in reason and "database" in reason:
        return _BY_STATE["3D000"]
    if "starting up" in reason:
        return _BY_STATE["57P03"]
    return _UNREACHABLE
