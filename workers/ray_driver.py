"""How our processes join Ray: as quiet drivers of a cluster that somebody else started."""

from __future__ import annotations

import logging
import os

import ray

from domain.errors import ConfigurationError, Unavailable
from domain.settings import Settings
from workers.names import NAMESPACE


def connect(settings: Settings) -> None:
    """Raises ConfigurationError without an address, Unavailable when the head does not answer."""
    if settings.ray_address is None:
        raise ConfigurationError("DELIBERATE_RAY_ADDRESS is not set: `deliberate up` sets it for an embedded stack")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(
            address=settings.ray_address,
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.WARNING,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unavailable(f"can't join Ray at {settings.ray_address}: {reason}") from error
