"""One stack a home: a lock that the kernel lets go of when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from domain.errors import ConfigurationError


class HomeLock:
    """Held from `acquire` to `release`. The file holds the pid of its holder, for the message to a second one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        return self._handle is not None

    def acquire(self) -> None:
        """Raises ConfigurationError when another process holds it."""
        while self._handle is None:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
                os.close(handle)
                raise ConfigurationError(
                    f"a stack already runs with DELIBERATE_HOME={self._path.parent} (pid {holder}): "
                    "use it, stop it, or set another DELIBERATE_HOME"
                ) from None
            if self._is_current(handle):
                self._handle = handle
            else:
                os.close(handle)
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._handle is not None:
            # Unlinked while still held: a waiting process notices in `acquire` that its file is gone.
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def _is_current(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False
