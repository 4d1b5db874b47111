"""Secrets stay private and stay the same; logs rotate; a home that can't be used is refused in one line."""

import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.stack import home as homes
from cli.stack.environment import child_environment
from cli.stack.logs import ROTATE_BYTES, last_line, log_path, open_log
from cli.stack.record import RUNTIME_PREFIX, remove_runtime
from cli.stack.secrets import api_key, keep, password, write_private
from domain.errors import ConfigurationError
from domain.settings import Settings, from_environment


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    first = keep(path, password)
    assert keep(path, password) == first
    assert len(first) == 64
    assert mode(path) == 0o600


def test_an_empty_secret_file_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    assert keep(tmp_path / "secret", lambda: "new") == "new"


def test_writing_replaces_a_file_with_wider_rights_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["secret"]


def test_keys_differ_and_have_our_form() -> None:
    first, second = api_key(), api_key()
    assert first != second
    assert first.startswith("dlb_")


def test_a_large_log_is_kept_once_and_a_new_one_begun(tmp_path: Path) -> None:
    log_path(tmp_path, "api").write_bytes(b"x" * (ROTATE_BYTES + 1))
    with open_log(tmp_path, "api") as log:
        log.write(b"new\n")
    assert log_path(tmp_path, "api").read_bytes() == b"new\n"
    assert (tmp_path / "api.log.1").stat().st_size == ROTATE_BYTES + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\ntwo\n\n", "two"),
        ("2026-01-02 03:04:05,678 ERROR engines: no such folder\n", "no such folder"),
        ("2026-01-02 03:04:05 INFO a.b_c something\n", "something"),
        ("", ""),
    ],
)
def test_the_last_line_is_said_without_its_stamp(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "log").write_text(text)
    assert last_line(tmp_path / "log") == said
    assert last_line(tmp_path / "missing") == ""


def test_an_error_is_said_before_what_follows_it(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("initdb: error: no room\ninitdb: removing data directory\n")
    assert last_line(tmp_path / "log", "error", "FATAL") == "initdb: error: no room"


def test_a_home_is_private(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    homes.open_home(home)
    assert {item.name for item in home.iterdir()} == {"run", "logs"}
    assert mode(home) == 0o700


def test_a_home_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"can't write to DELIBERATE_HOME=.*file/home \(Not a directory\)"):
        homes.open_home(tmp_path / "file" / "home")


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(ConfigurationError, match=r"has 5 MB free and 300 MB are needed: free some space"):
        homes.open_home(tmp_path)


def test_a_write_that_fails_on_a_full_disk_says_what_to_do(tmp_path: Path) -> None:
    assert homes.unusable(tmp_path, OSError(28, "No space left on device")).message.endswith("free some space")


def test_a_runtime_folder_has_a_short_private_path() -> None:
    folder = homes.make_runtime()
    try:
        assert len(str(folder)) < 40
        assert mode(folder) == 0o700
    finally:
        remove_runtime(str(folder))
    assert not folder.exists()


def test_only_a_stacks_own_folder_is_ever_removed(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / f"{RUNTIME_PREFIX}link"
    other.mkdir()
    link.symlink_to(other)
    for path in (str(other), str(link), "", str(tmp_path / f"{RUNTIME_PREFIX}missing")):
        remove_runtime(path)
    assert other.is_dir()


def test_settings_survive_the_way_through_an_environment(tmp_path: Path) -> None:
    variables = {
        "DELIBERATE_HOME": str(tmp_path),
        "DELIBERATE_PORT": "0",
        "DELIBERATE_DATABASE_URL": "postgresql://u:p@h/d",
        "DELIBERATE_VERIFIER": "none",
        "DELIBERATE_POLICY_REPLICAS": "3",
        "DELIBERATE_API_KEYS": "one,two",
        "DELIBERATE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
        "DELIBERATE_LEASE_S": "2.5",
    }
    settings = from_environment(variables)
    assert from_environment(child_environment(settings, {})) == settings


def test_settings_replace_those_of_the_environment_and_nothing_else(tmp_path: Path) -> None:
    env = {"DELIBERATE_REDIS_URL": "redis://other", "PATH": os.environ["PATH"], "DELIBERATE_MARK": "kept"}
    made = child_environment(Settings(home=tmp_path), env)
    assert "DELIBERATE_REDIS_URL" not in made
    assert made["PATH"] == env["PATH"]
    assert made["DELIBERATE_MARK"] == "kept"
