"""The engine without a service around it: the given rollouts through one engine on one thread, as an actor runs it.

    python -m evaluation.engine_alone POLICY < requests.jsonl

Reads sample requests, one JSON object a line; prints {"seconds", "tokens"} of the run, loading and warm-up left out.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from domain.codec import decode
from domain.ports import Completion, SampleRequest
from inference.engines.factory import load_policy
from inference.host import EngineHost

WARM_UP = 32


def main() -> None:
    requests = [decode(SampleRequest, json.loads(line)) for line in sys.stdin if line.strip()]
    host = EngineHost(load_policy(sys.argv[1], threads=1, device="cpu"))
    run(host, [replace(request, key=f"warm-{request.key}") for request in requests[:WARM_UP]])
    started = time.perf_counter()
    tokens = run(host, requests)
    print(json.dumps({"seconds": time.perf_counter() - started, "tokens": tokens}), flush=True)
    host.close()


def run(host: EngineHost, requests: list[SampleRequest]) -> int:
    """All requests at once; the number of tokens generated."""
    results: list[Any] = []
    done = threading.Event()

    def ended(finished: Sequence[Any]) -> None:
        results.extend(finished)
        if len(results) == len(requests):
            done.set()

    host.submit(requests, ended)
    done.wait()
    failed = [one for one in results if not isinstance(one, Completion)]
    if failed:
        raise SystemExit(f"{len(failed)} rollouts failed: {failed[0]}")
    return sum(one.cost.generated_tokens for one in results)


if __name__ == "__main__":
    main()
