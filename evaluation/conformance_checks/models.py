"""`client.models`: what can be asked for."""

from __future__ import annotations

import openai
from harness import Bench, refuses, run, same, true

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def listed(bench: Bench) -> None:
    names = [model.id for model in bench.client().models.list()]
    true({"deliberate", *(f"deliberate-{effort}" for effort in EFFORTS)} <= set(names), str(names))


def retrieved(bench: Bench) -> None:
    client = bench.client()
    for model in client.models.list():
        same(client.models.retrieve(model.id).to_dict(), model.to_dict())
    refuses(lambda: client.models.retrieve("nobody"), openai.NotFoundError)


if __name__ == "__main__":
    run([listed, retrieved])
