"""Fixtures that every room may use. Add a plugin here; put its code under `tests/support/`."""

pytest_plugins = ["tests.support.postgres", "tests.support.receiver", "tests.support.redis", "tests.support.stack"]
