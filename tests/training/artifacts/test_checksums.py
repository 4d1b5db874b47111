"""SHA256SUMS: what `sha256sum` writes and reads, and one line for a file that is not what it says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from training.artifacts.checksums import NAME, verify_sums, weights_sha256, write_sums

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "model.safetensors").write_bytes(b"weights" * 1_000_000)
    (tmp_path / "sub" / "a name.txt").write_text("")
    write_sums(tmp_path)
    return tmp_path


def test_a_whole_folder_passes_ours_and_sha256sum(folder: Path) -> None:
    assert verify_sums(folder)
    assert f"{EMPTY}  sub/a name.txt\n" in (folder / NAME).read_text()
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", NAME], cwd=folder, check=True)
    assert weights_sha256(folder)["model.safetensors"] in (folder / NAME).read_text()


def test_a_folder_without_the_list_and_a_file_besides_it_are_fine(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    assert verify_sums(folder)
    (folder / NAME).unlink()
    assert not verify_sums(folder)


def test_a_changed_file_is_named(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"!")
    with pytest.raises(ConfigurationError) as caught:
        verify_sums(folder)
    assert caught.value.message == (
        f"{folder}/model.safetensors has another checksum than SHA256SUMS says:"
        " copy the file again, or delete SHA256SUMS if you changed it yourself"
    )


def test_a_missing_file_and_a_bad_list_are_named(folder: Path) -> None:
    (folder / "sub" / "a name.txt").unlink()
    with pytest.raises(ConfigurationError, match=r"a name\.txt is missing, and SHA256SUMS lists it"):
        verify_sums(folder)
    (folder / NAME).write_text("what\n")
    with pytest.raises(ConfigurationError, match="SHA256SUMS:1: this is no checksum and file name"):
        verify_sums(folder)
