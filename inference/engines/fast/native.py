"""Compiles `kernels.c` for this processor and head size, where there is a C compiler. It takes under a second.

Law: nothing depends on it: without a compiler, or when it fails, `inference.engines.fast.kernels` does the same in
torch. What is compiled is our own file; it lies in a private folder that is gone once it is loaded.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from domain.errors import ConfigurationError

logger = logging.getLogger(__name__)

VARIABLE = "DELIBERATE_COMPILE"
_CHOICES = ("auto", "off")
_SOURCE = Path(__file__).with_name("kernels.c")
_TIMEOUT_S = 20.0
_EXACT = ("-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math", "-freciprocal-math")
"""What lets loops vectorise. Not -ffast-math: gcc would change the whole process's rounding of tiny numbers with it."""
_TUNED: tuple[tuple[str, ...], ...] = (("-march=native",), ())
"""Tried in turn: some compilers do not know the first."""


def compiled(head_size: int) -> ctypes.CDLL | None:
    """The kernels, or None where they can't be had, which is said in the log. Raises ConfigurationError."""
    choice = os.environ.get(VARIABLE, "").strip().lower() or "auto"
    if choice not in _CHOICES:
        raise ConfigurationError(f"{VARIABLE} must be one of {', '.join(_CHOICES)}")
    if choice == "off":
        return None
    compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    if compiler is None:
        logger.info("no C compiler: decoding goes without compiled kernels")
        return None
    try:
        return _loaded(compiler, head_size)
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning("the kernels could not be compiled (%s): decoding goes without them", type(error).__name__)
        return None


def _loaded(compiler: str, head_size: int) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory(prefix="deliberate-kernels-") as folder:
        target = Path(folder) / "kernels.so"
        command = [compiler, "-O3", "-fPIC", "-shared", f"-DHEAD={head_size}", *_EXACT]
        for index, tuned in enumerate(_TUNED, 1):
            done = subprocess.run(
                [*command, *tuned, str(_SOURCE), "-o", str(target), "-lm"],
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=index == len(_TUNED),
            )
            if done.returncode == 0:
                break
        return _typed(ctypes.CDLL(str(target)))


def _typed(library: ctypes.CDLL) -> ctypes.CDLL:
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    library.attend.argtypes = [number] * 4 + [pointer] * 7
    library.norm.argtypes = [number, number, pointer, pointer, ctypes.c_float, pointer]
    library.gated.argtypes = [number, number, pointer, pointer]
    for function in (library.attend, library.norm, library.gated):
        function.restype = None
    return library
