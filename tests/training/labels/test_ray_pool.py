"""The workers of a Ray cluster give the same file as this process does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
import ray
from training.labels import calls
from training.labels.monte_carlo import LabelSettings, make_labels
from training.labels.pools import Crew
from training.problems.files import ProblemRecord
calls.SMALLEST = 16
problems = [ProblemRecord(at, f"p{at}", f"Compute {at} + 3 * {at + 4}.", str(4 * at + 12)) for at in range(1, 13)]
folder, policy, settings = Path(sys.argv[1]), "scripted:accuracy=0.5", LabelSettings(4, 4)
here = make_labels(policy, problems, settings, folder / "here.jsonl")
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False,
         _node_ip_address="127.0.0.1", object_store_memory=80 << 20)
there = make_labels(policy, problems, settings, folder / "there.jsonl", crew=Crew(2, ray_address="auto"))
assert here.read_bytes() == there.read_bytes()
assert ray.is_initialized(), "a cluster that the caller has joined is the caller's to leave"
ray.shutdown()
print(len(there.read_text().splitlines()))
"""


@pytest.mark.integration
def test_a_cluster_gives_the_same_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.splitlines()[-1]) > 12
