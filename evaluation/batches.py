"""A large batch through the whole service: is every line answered once, does memory stay flat, is progress ever wrong?

    python -m evaluation.batches [--problems FILE_OR_FOLDER] [--lines N] [--kill] [--quick]

The engine is scripted, so that what is measured is the service. The problems are repeated with new ids until there are
enough. `--kill` ends each process of the stack by `kill -9`, one after the other, while the batch runs. A sample of the
progress is wrong when its counts don't add up, or when it says less than a sample before it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from evaluation.overhead import cpu_seconds, kind_of
from evaluation.report import finish, say
from evaluation.stack import RunningStack, running_stack

POLICY = "scripted:accuracy=0.7,tokens=40,delay_ms=0"
STRATEGY = {"name": "self_consistency", "n": 1}
VICTIMS = ("api", "control", "orchestrator", "engine actors", "redis", "postgres")
SAMPLE_S = 0.5
PATIENCE_S = 3600.0
STILL_S = 180.0
"""Without any progress for so long, something is stuck."""
FINAL = {"completed", "failed", "expired", "cancelled"}


@dataclass
class Watch:
    """What was seen while the batch ran."""

    lines: int
    samples: int = 0
    wrong: list[str] = field(default_factory=list)
    before: dict[str, int] = field(default_factory=dict)
    api_mb: list[float] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)

    def see(self, batch: Mapping[str, Any]) -> None:
        self.samples += 1
        counts = batch["counts"]
        self._check(
            counts["total"] == sum(counts[part] for part in ("waiting", "running", "completed", "failed")), batch
        )
        self._check(all(value >= 0 for value in counts.values()), batch)
        self._check(counts["written"] <= counts["completed"] + counts["failed"], batch)
        self._check(all(counts[name] >= self.before.get(name, 0) for name in ("total", "completed", "failed")), batch)
        self._check(batch["status"] == "validating" or counts["total"] == self.lines, batch)
        self.before = counts

    def _check(self, right: bool, batch: Mapping[str, Any]) -> None:
        if not right:
            self.wrong.append(f"{batch['status']}: {batch['counts']}")


def problems_of(path: Path) -> Iterator[str]:
    """The texts of a problem file, or of all in a folder."""
    for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield (one := json.loads(line)).get("problem") or one["question"]


def write_batch(target: Path, source: Path, lines: int) -> None:
    texts = list(itertools.islice(problems_of(source), lines))
    with target.open("w", encoding="utf-8") as file:
        for number, text in enumerate(itertools.islice(itertools.cycle(texts), lines)):
            file.write(json.dumps({"id": f"line-{number}", "problem": text}) + "\n")


async def run_batch(stack: RunningStack, path: Path, lines: int, *, kill: bool) -> dict[str, Any]:
    watch = Watch(lines)
    victims = list(VICTIMS) if kill else []
    async with stack.client() as client:
        base_mb = api_mb(stack)
        cpu = cpu_seconds(stack)
        started = time.monotonic()
        batch = await start(client, path)
        uploaded = time.monotonic()
        ended = await follow(client, stack, batch, watch, victims)
        seconds = time.monotonic() - uploaded
        used = cpu_seconds(stack) - cpu
        answered = await answers(client, ended)
        watch.api_mb.append(api_mb(stack))
    once = sum(count == 1 for count in answered.values())
    return {
        "lines": lines,
        "answered_once": once,
        "answered_otherwise": len(answered) - once + lines - len(answered),
        "status": ended["status"],
        "completed": ended["counts"]["completed"],
        "failed": ended["counts"]["failed"],
        "api_growth_mb": round(max(watch.api_mb) - base_mb, 1),
        "samples": watch.samples,
        "wrong_samples": len(watch.wrong),
        "wrong": watch.wrong[:5],
        "kills": watch.kills,
        "upload_s": round(uploaded - started, 2),
        "seconds": round(seconds, 1),
        "lines_per_s": round(lines / seconds, 1),
        "cpu_ms_per_line": {name: round(1000 * value / lines, 2) for name, value in used.most_common() if value > 0},
    }


async def start(client: httpx.AsyncClient, path: Path) -> str:
    with path.open("rb") as file:
        upload = await client.post("/v1/files", files={"file": (path.name, file)}, data={"purpose": "batch"})
    upload.raise_for_status()
    body = {"input_file_id": upload.json()["id"], "strategy": STRATEGY}
    created = await client.post("/v1/reasoning/batches", json=body)
    created.raise_for_status()
    return str(created.json()["id"])


async def follow(
    client: httpx.AsyncClient, stack: RunningStack, batch: str, watch: Watch, victims: list[str]
) -> dict[str, Any]:
    """Until the end. While a victim is down, a sample that can't be had is no wrong one."""
    deadline, moved, said = time.monotonic() + PATIENCE_S, time.monotonic(), 0.0
    done = -1
    share = watch.lines // (len(victims) + 1) if victims else 0
    while time.monotonic() < deadline and time.monotonic() - moved < STILL_S:
        await asyncio.sleep(SAMPLE_S)
        watch.api_mb.append(api_mb(stack))
        try:
            answer = await client.get(f"/v1/reasoning/batches/{batch}", timeout=10.0)
        except httpx.TransportError:
            continue
        if answer.status_code != 200:
            continue
        state: dict[str, Any] = answer.json()
        watch.see(state)
        ended = state["counts"]["completed"] + state["counts"]["failed"]
        if ended + state["counts"]["total"] != done:
            done, moved = ended + state["counts"]["total"], time.monotonic()
        if time.monotonic() - said > 10.0:
            said = time.monotonic()
            say(f"{state['status']}: {ended:,}/{watch.lines:,}, api {watch.api_mb[-1]:.0f} MB")
        if state["status"] in FINAL:
            return state
        if victims and ended >= share * (len(watch.kills) + 1):
            kill_one(stack, victims.pop(0), watch)
    raise SystemExit(f"the batch stands still: {watch.before}")


def kill_one(stack: RunningStack, kind: str, watch: Watch) -> None:
    """`kill -9` the first process of this kind: for Postgres that is its main one."""
    for process in stack.process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if kind_of(process.cmdline()) == kind:
                process.kill()
                watch.kills.append(kind)
                say(f"killed {kind}")
                return
    say(f"found no {kind} to kill")
    watch.kills.append(f"{kind}: not found")


def api_mb(stack: RunningStack) -> float:
    """Resident memory of the API; 0 while it is down."""
    sizes = [0.0]
    for process in stack.process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if kind_of(process.cmdline()) == "api":
                sizes.append(process.memory_info().rss / 2**20)
    return max(sizes)


async def answers(client: httpx.AsyncClient, batch: Mapping[str, Any]) -> Counter[str]:
    """How often each custom_id is in the output and error files."""
    found: Counter[str] = Counter()
    for name in ("output_file_id", "error_file_id"):
        if batch[name] is not None:
            async for line in lines_of(client, batch[name]):
                found[json.loads(line)["custom_id"]] += 1
    return found


async def lines_of(client: httpx.AsyncClient, file: str) -> AsyncIterator[str]:
    async with client.stream("GET", f"/v1/files/{file}/content") as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            yield line


def measure(source: Path, lines: int, *, kill: bool) -> dict[str, Any]:
    settings = {
        "DELIBERATE_POLICY": POLICY,
        "DELIBERATE_VERIFIER": "none",
        "DELIBERATE_POLICY_REPLICAS": "1",
        "OMP_NUM_THREADS": "1",
    }
    with tempfile.TemporaryDirectory(prefix="dlb-batch-") as folder, running_stack(settings) as stack:
        path = Path(folder) / "batch.jsonl"
        write_batch(path, source, lines)
        return asyncio.run(run_batch(stack, path, lines, kill=kill))


def table(result: dict[str, Any]) -> str:
    names = (
        "lines", "answered_once", "status", "failed", "api_growth_mb", "samples", "wrong_samples", "kills", "upload_s",
        "seconds", "lines_per_s",
    )  # fmt: skip
    rows = [f"| {name} | {result[name]} |" for name in names]
    costs = [f"| {name} | {value} |" for name, value in result["cpu_ms_per_line"].items()]
    return "\n".join(["| | |", "|---|---|", *rows, "", "| process | CPU ms a line |", "|---|---|", *costs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--problems", type=Path, default=Path(__file__).parent / "datasets/test_500.jsonl", help="JSONL file or folder"
    )
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--kill", action="store_true", help="kill -9 each process in turn while the batch runs")
    parser.add_argument("--quick", action="store_true", help="400 lines, nothing written to docs/results")
    given = parser.parse_args()
    lines = 400 if given.quick else given.lines
    result = measure(given.problems, lines, kill=given.kill)
    name = "batches-killed" if given.kill else "batches"
    finish(name, " ".join(["python -m evaluation.batches", *sys.argv[1:]]), result, table(result), full=not given.quick)


if __name__ == "__main__":
    main()
