"""A folder appears whole or not at all, and never in the place of something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from training.artifacts.publish import published, refuse_existing


def model(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(text)
    return folder


def test_nothing_stands_under_the_name_before_the_end(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model"
    with published(target) as draft:
        (draft / "config.json").write_text("new")
        (draft / "config.json").chmod(0o600)
        assert not target.exists()
    assert (target / "config.json").read_text() == "new"
    assert (target / "config.json").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_an_error_leaves_nothing_and_what_was_there_stays(tmp_path: Path) -> None:
    target = model(tmp_path / "model", "old")

    def fail() -> None:
        with published(target, force=True) as draft:
            (draft / "config.json").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (target / "config.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_is_replaced_only_when_asked(tmp_path: Path) -> None:
    target = model(tmp_path / "model", "old")
    (target / "stale").write_text("")
    with pytest.raises(ConfigurationError, match="exists already: choose another name, or overwrite it with --force"):
        refuse_existing(target)
    with published(target, force=True) as draft:
        (draft / "config.json").write_text("new")
    assert [path.name for path in target.iterdir()] == ["config.json"]
    assert (target / "config.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("what", ["folder", "file", "link", "broken link"])
def test_what_is_no_model_is_never_replaced(tmp_path: Path, what: str) -> None:
    target = tmp_path / "precious"
    if what == "folder":
        (target / "work").mkdir(parents=True)
    elif what == "file":
        target.write_text("text")
    else:
        target.symlink_to(model(tmp_path / "model", "") if what == "link" else tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="holds no model, so --force does not overwrite it"):
        refuse_existing(target, force=True)


def test_a_folder_that_came_in_the_meantime_stays(tmp_path: Path) -> None:
    target = tmp_path / "model"

    def race() -> None:
        with published(target) as draft:
            (draft / "config.json").write_text("mine")
            model(target, "theirs")

    with pytest.raises(ConfigurationError, match="exists already"):
        race()
    assert (target / "config.json").read_text() == "theirs"


def test_the_draft_of_a_killed_run_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".model.draft" / "checkpoint").mkdir(parents=True)
    with published(tmp_path / "model") as draft:
        (draft / "config.json").write_text("new")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["config.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_place_that_can_t_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="can't be written"), published(tmp_path / "file" / "model"):
        pass
    for name in (Path("/"), Path("..")):
        with pytest.raises(ConfigurationError, match="no name for a new folder"):
            refuse_existing(name, force=True)
