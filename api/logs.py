"""Plain lines on stderr. uvicorn's access log is off: it prints whole URLs, and a query may hold a secret."""

from __future__ import annotations

import logging

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def configure(level: str) -> None:
    logging.getLogger("uvicorn.access").disabled = True
    logger = logging.getLogger("deliberate")
    logger.setLevel(level.upper())
    if not logger.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(FORMAT))
        logger.addHandler(handler)
