"""What `make check` asks is asked by the tests too, so that one command says whether all is well."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("command", ["ruff format --check .", "ruff check .", "mypy"])
def test_the_tools_have_nothing_to_say(command: str) -> None:
    program, *arguments = command.split()
    path = Path(sys.executable).with_name(program)
    done = subprocess.run([str(path), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_direct_dependency_is_pinned() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    wanted = {name.split("[")[0].split(">")[0].split("=")[0].lower() for name in named}
    assert wanted - pinned == set()
    assert "torch==2.13.0" in lines
