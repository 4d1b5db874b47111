"""Where the recorded data lies: `../shared/data` beside this checkout, or a folder that the caller names."""

from __future__ import annotations

from pathlib import Path

from domain.errors import ConfigurationError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

LLAMA_8B = "recorded/math500_llama/llama3.1-8b-awq_100x44.jsonl"
GAME24 = "recorded/game24_gpt4/game24_cot_100x100.jsonl"
GAME24_TREES = "recorded/game24_gpt4/game24_tot_bfs_b5_traces.jsonl"
PAIRS = "grading/equivalence_pairs.jsonl"


def data_file(name: str, folder: Path | None = None) -> Path:
    """Raises ConfigurationError with one line when it is not there."""
    path = (folder or SHARED) / name
    if not path.is_file():
        raise ConfigurationError(f"{path} is not there: name the folder of the recorded data with --data FOLDER")
    return path
