"""Before the first request: the default tenant and the keys of DELIBERATE_API_KEYS are in the database, and those that
have left DELIBERATE_API_KEYS are revoked.

The API starts without Postgres too (and says 503 until it is there), so that this may end long after the start.
"""

from __future__ import annotations

import asyncio
import logging

from api.services import Services
from messaging.outage import Outage

TENANT = "default"
LABEL = "DELIBERATE_API_KEYS"
PATIENCE_S = 5.0
RETRY_S = 1.0

logger = logging.getLogger("deliberate.api")


async def bootstrap(services: Services) -> None:
    """Try until it works."""
    outage = Outage(logger, "storing the bootstrap keys in Postgres (is it running, and is it migrated?)")
    while not services.bootstrapped:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await _store(services)
        except Exception as error:
            # Whatever it was (an unreachable server, a schema not migrated yet), time may bring the remedy.
            outage.failed(error)
            await asyncio.sleep(RETRY_S)
        else:
            services.bootstrapped = True
            outage.worked()


async def _store(services: Services) -> None:
    tenant = await services.keys.ensure_tenant(TENANT)
    for token in services.settings.api_keys:
        await services.keys.ensure(token, tenant, LABEL)
    revoked = await services.keys.revoke_missing(services.settings.api_keys)
    if revoked:
        logger.warning("%d keys are no longer in %s: revoked", revoked, LABEL)
