"""Which of the processes of one run this is: `accelerate launch` and `torchrun` say it in the environment."""

from __future__ import annotations

import os


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this one writes what all share. It is known before the processes have met."""
    return int(os.environ.get("RANK", "0")) == 0


def wait_for_all() -> None:
    """Until all are here; returns at once before they have met, which the Trainer arranges."""
    import torch.distributed as distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
