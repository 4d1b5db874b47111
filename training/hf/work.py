"""The folder beside the target in which a run keeps its checkpoints until the model is published.

Law: one command at a time works in it, and only the command that began it goes on with it.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.errors import ConfigurationError
from training.artifacts.disk import require_free
from training.artifacts.manifest import write_json
from training.hf.processes import is_main

if TYPE_CHECKING:
    from training.hf.models import Start

IDENTITY = "run.json"
STATE_BYTES = 12
"""For each trained weight in a checkpoint: itself and the two moments of Adam, in float32."""
MARGIN = 1.1


class Work:
    """All processes of a run have one; only the main one writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextmanager
    def opened(cls, out: Path) -> Iterator[Work]:
        """Raises ConfigurationError when another process works for the same target."""
        folder = out.parent / f".{out.name}.work"
        work = cls(folder)
        if not is_main():
            yield work
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "lock").open("w") as lock:
                _take(lock, out)
                yield work
        except OSError as error:
            remedy = "choose a folder that you may write to, or free some space"
            raise ConfigurationError(f"{folder} can't be written ({error.strerror or error}): {remedy}") from None
        finally:
            work.drop_if_unused()

    def claim(self, identity: Mapping[str, Any]) -> None:
        """Raises ConfigurationError when the folder holds the checkpoints of a run with other inputs."""
        path = self.folder / IDENTITY
        if path.is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            for name, value in identity.items():
                if known.get(name) != json.loads(json.dumps(value)):
                    raise ConfigurationError(
                        f"{self.folder} holds an unfinished run with other {name}:"
                        " give its command again to go on with it, or delete the folder to start afresh"
                    )
        elif is_main():
            write_json(path, identity)

    def require_room(self, model: Any, start: Start) -> None:
        """For two checkpoints (the next one is written before the last one goes) and the result."""
        from training.hf.models import parameters, trained_parameters

        result = parameters(model) * start.dtype.itemsize
        require_free(self.folder, int(MARGIN * (2 * STATE_BYTES * trained_parameters(model) + result)), "this training")

    def drop(self) -> None:
        shutil.rmtree(self.folder)

    def drop_if_unused(self) -> None:
        """Leaves nothing of a run that was refused before it began."""
        if self.folder.is_dir() and not (self.folder / IDENTITY).exists():
            shutil.rmtree(self.folder, ignore_errors=True)


def quiet() -> None:
    """What these libraries say while they load and save is for their developers."""
    import transformers

    loud: Any = transformers.utils.logging
    loud.set_verbosity_error()
    loud.disable_progress_bar()


def _take(lock: Any, out: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        remedy = "wait for it, or choose another name"
        raise ConfigurationError(f"another command is training {out} now: {remedy}") from None
