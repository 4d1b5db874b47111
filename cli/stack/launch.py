"""A script between the supervisor and each child: no child outlives the supervisor, or runs as root where it must not.

Law: this file imports the standard library only and ends in `exec`; it costs about 15 ms and leaves no process behind.

    launch.py PARENT_PID DEATH_SIGNAL USER|- NICE COMMAND…

On Linux the kernel sends DEATH_SIGNAL to the child when the supervisor dies, also by `kill -9`. With USER, root becomes
that user and keeps one capability, reading and searching folders, since a virtual environment may lie below a private
home (Postgres refuses to run as root; widening the permissions of somebody's home for it would be worse).

NICE above 0 lets the child yield to the others, also where the kernel shares time out by session (autogroup) and the
niceness of a process counts within its session alone.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
import time

AUTOGROUP = "/proc/self/autogroup"
TRIES = 10
AGAIN_S = 0.11
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522
FAILED = 90


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def main(arguments: list[str]) -> None:
    parent, death_signal, user, nice, *command = arguments
    if nice != "0":
        _yield(int(nice))
    if user != "-":
        _become(user)
    if sys.platform == "linux":
        # Set last: a change of user clears it.
        _libc().prctl(PR_SET_PDEATHSIG, signal.Signals[death_signal].value, 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit(FAILED)
    os.execvp(command[0], command)


def _yield(nice: int) -> None:
    os.nice(nice)
    for _ in range(TRIES):
        try:
            with open(AUTOGROUP, "w") as file:
                file.write(str(nice))
            return
        except BlockingIOError:
            time.sleep(AGAIN_S)  # the kernel takes one such wish of ordinary users every tenth of a second
        except OSError:
            return  # no Linux, or no autogroups: then the niceness counts


def _become(user: str) -> None:
    if sys.platform != "linux":
        sys.exit("the embedded Postgres can't run as root on this system: run `deliberate` as a normal user")
    entry = pwd.getpwnam(user)
    try:
        # access(2), which Postgres' programs use to find each other, counts capabilities only under this bit.
        _libc().prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
        _libc().prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
        os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    except OSError:
        sys.exit("the embedded Postgres can't leave root here: run `deliberate` as a normal user")
    _keep_search()


def _keep_search() -> None:
    """Give up every capability but the one; where it can't be kept, folders that the user may search still work."""
    bit = 1 << CAP_DAC_READ_SEARCH
    if _capset(bit):
        _libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0)
    elif not _capset(0):
        sys.exit("the embedded Postgres can't give up root's rights here: run `deliberate` as a normal user")


def _capset(bits: int) -> bool:
    header = _Header(CAPABILITY_VERSION_3, 0)
    data = (_Data * 2)(_Data(bits, bits, bits), _Data(0, 0, 0))
    return bool(_libc().capset(ctypes.byref(header), data) == 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main(sys.argv[1:])
