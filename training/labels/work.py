"""One output file with its journal while it is made, and its manifest when it is there.

Law: the same command, killed and started again, ends with the same file and the same manifest but for "timing"; a
complete file is never made again, and no other file is overwritten.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError
from inference.checks import is_local
from training.artifacts.checksums import weights_sha256
from training.labels.journal import Journal
from training.labels.pools import Crew
from training.problems.files import ProblemRecord
from training.progress import say

LIBRARIES = ("numpy", "tokenizers", "torch", "transformers")


class Work:
    def __init__(self, out: Path, identity: Mapping[str, Any]) -> None:
        """`identity` is all that decides the content: settings, models, problems. Raises ConfigurationError."""
        self.out = out
        self._identity: dict[str, Any] = json.loads(json.dumps(identity))
        self._manifest = out.with_name(out.name + ".manifest.json")
        self._journal = out.with_name(out.name + ".journal")
        if out.is_dir():
            raise ConfigurationError(f"{out} is a folder: name a file")
        if not out.parent.is_dir():
            raise ConfigurationError(f"the folder {out.parent} does not exist: make it first")

    def is_done(self) -> bool:
        """Whether this very run is complete. Raises ConfigurationError when the name is taken by something else."""
        if not self._manifest.exists():
            if self.out.exists() and not self._journal.exists():
                raise self._taken()
            return False
        found = self._read_manifest()
        if not self.out.exists() or any(found.get(name) != value for name, value in self._identity.items()):
            raise self._taken()
        self._journal.unlink(missing_ok=True)
        say(f"{self.out} is complete already")
        return True

    def journal(self) -> Journal:
        return Journal(self._journal, self._identity)

    def finish(self, rows: Iterable[Mapping[str, Any]], counts: Mapping[str, Any], journal: Journal) -> Path:
        """Writes the file, then its manifest; the journal goes last."""
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        _replace(self.out, text)
        tokens = sum(one.tokens for one in journal.rollouts())
        sampled = sum(1 for _ in journal.rollouts())
        manifest = self._identity | {
            "counts": {**counts, "sampled": sampled, "sampled_tokens": tokens},
            "sha256": hashlib.sha256(text).hexdigest(),
            "versions": {name: version(name) for name in LIBRARIES},
            "timing": {"engine_seconds": round(journal.seconds, 1)},
        }
        _replace(self._manifest, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())
        journal.drop()
        return self.out

    def _read_manifest(self) -> dict[str, Any]:
        try:
            found = json.loads(self._manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise self._taken() from None
        return found if isinstance(found, dict) else {}

    def _taken(self) -> ConfigurationError:
        return ConfigurationError(f"{self.out} exists already and was made otherwise: choose another name or delete it")


def _replace(path: Path, content: bytes) -> None:
    """The whole file or nothing. Raises ConfigurationError."""
    draft = path.with_name(path.name + ".new")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        remedy = "see to the disk and start the same command again"
        raise ConfigurationError(f"{path} can't be written ({error.strerror}): {remedy}") from None


def identity_of(
    kind: str, settings: Any, problems: Sequence[ProblemRecord], crew: Crew, **models: str | None
) -> dict[str, Any]:
    """What decides the content of an output file. `models` are specs by their role."""
    return {
        "kind": kind,
        "settings": asdict(settings),
        "problems": {"count": len(problems), "sha256": problems_hash(problems)},
        "models": {role: model_mark(spec) for role, spec in models.items() if spec is not None},
        "rows": crew.rows,
    }


def problems_hash(problems: Sequence[ProblemRecord]) -> str:
    """SHA-256 of their content, wherever they stand."""
    digest = hashlib.sha256()
    for problem in problems:
        row = {name: value for name, value in asdict(problem).items() if name != "line"}
        digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def model_mark(spec: str) -> dict[str, Any]:
    """What the weights are, wherever the folder stands. Raises ConfigurationError."""
    if spec.startswith("scripted"):
        return {"id": spec}
    folder = Path(spec).expanduser()
    if is_local(spec):
        if not folder.is_dir():
            raise ConfigurationError(f"model folder {spec} does not exist: give the path of a folder with config.json")
        return {"id": folder.name, "weights_sha256": weights_sha256(folder)}
    return {"id": spec}
