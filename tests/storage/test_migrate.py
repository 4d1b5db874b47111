import pytest

from storage import migrate

pytestmark = pytest.mark.integration


def test_x(database_url):
    assert migrate.current(database_url) == "0001"
