"""The manifest, the loss curve, and the question of room on the disk."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from training.artifacts import disk
from training.artifacts.curve import smoothed, write_curve
from training.artifacts.manifest import Manifest, Timing, data_sha256, versions, without_timing, write_manifest
from training.artifacts.publish import to_disk

POINTS = [(step, 4.0 / step) for step in range(1, 60)]


def test_a_manifest_differs_between_runs_in_its_timing_only(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"w")
    (tmp_path / "data").write_text("d")
    written = []
    for seconds, machine in ((1.0, "one"), (2.0, "other")):
        manifest = Manifest(
            command="c",
            recipe={"steps": 3},
            data=data_sha256(problems=tmp_path / "data"),
            seeds={"training": 1},
            versions=versions("peft"),
            parameters=7,
            timing=Timing(seconds, machine),
        )
        written.append(write_manifest(tmp_path, manifest))
        assert json.loads((tmp_path / "manifest.json").read_text()) == written[-1]
    one, other = written
    assert one != other
    assert without_timing(one) == without_timing(other)
    assert set(one["weights_sha256"]) == {"model.safetensors"}
    assert one["data_sha256"] == {"problems": "18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4"}
    assert {"python", "torch", "transformers", "peft"} <= set(one["versions"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "manifest.json", "model.safetensors"]


def test_the_curve_is_a_picture_and_a_table_and_the_same_each_time(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        write_curve(folder, POINTS, "Loss")
        files.append([(folder / file).read_bytes() for file in ("loss.png", "loss.csv")])
    assert files[0] == files[1]
    picture, table = files[0]
    assert picture.startswith(b"\x89PNG")
    assert table.decode().splitlines()[:3] == ["step,loss", "1,4", "2,2"]
    to_disk(tmp_path)


def test_the_smoothed_line_starts_at_the_first_loss_and_follows() -> None:
    assert smoothed([3.0]) == [3.0]
    assert smoothed([2.0] * 100) == pytest.approx([2.0] * 100)
    falling = smoothed([5.0] * 50 + [1.0] * 50)
    assert falling[49] == pytest.approx(5.0)
    assert 1.0 < falling[55] < falling[50] < 5.0
    assert falling[99] == pytest.approx(1.0, abs=0.01)


def test_too_little_room_is_said_before_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**10, 9 * 10**9, 10**9))
    disk.require_free(tmp_path / "not" / "there", 900_000_000, "this training")
    with pytest.raises(ConfigurationError) as caught:
        disk.require_free(tmp_path / "not" / "there", 10**9, "this training")
    assert caught.value.message == (
        f"{tmp_path} has 1.00 GB free and this training needs 1.07 GB:"
        " free some space or choose a folder on another disk"
    )
