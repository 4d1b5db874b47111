"""The architecture fails the build: import-linter's contracts, and purity as the standard library sees it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PURE = [path for room in ("domain", "search") for path in sorted((ROOT / room).glob("**/*.py"))]
IMPURE = {"asyncio", "time", "logging", "random", "secrets", "uuid", "threading", "socket", "subprocess"}


def test_import_contracts_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def imports(path: Path) -> set[str]:
    """Top-level names of all modules that a file imports, also inside of functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", PURE, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_domain_and_search_use_nothing_but_the_pure_standard_library(path: Path) -> None:
    rooms = {"domain"} if path.parent.name == "domain" else {"domain", "search"}
    assert imports(path) <= (set(sys.stdlib_module_names) - IMPURE) | rooms
