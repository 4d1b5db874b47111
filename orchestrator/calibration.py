"""The calibration of a stack's models: a JSON file beside the policy, used only for the models it was fitted for."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from domain.calibration import VERSION, Calibration, belongs
from domain.codec import decode, encode
from domain.errors import ConfigurationError

log = logging.getLogger(__name__)

FILE = "calibration.json"


def calibration_text(calibration: Calibration) -> str:
    """The file's contents."""
    return json.dumps(encode(calibration), separators=(",", ":")) + "\n"


def read_calibration(path: Path) -> Calibration:
    """Raises ConfigurationError for a file that can't be read, or that another version wrote."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found: Calibration = decode(Calibration, data)
        version = found.version
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "fit it again with `deliberate calibrate`, or remove it"
        raise ConfigurationError(f"{path} is no calibration ({type(error).__name__}): {remedy}") from None
    if version != VERSION:
        raise ConfigurationError(
            f"{path} has version {version}, not {VERSION}: fit it again with `deliberate calibrate`"
        )
    return found


def calibration_for(folder: str, policy: str, verifier: str | None) -> Calibration | None:
    """What was fitted for models with these ids, if the policy's `folder` holds it; None: confidence is agreement."""
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    found = read_calibration(path)
    if belongs(found, policy, verifier):
        return found
    log.warning("%s was fitted for other models: confidence is agreement, uncalibrated", path.name)
    return None
