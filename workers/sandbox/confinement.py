"""What the operating system keeps a process to that decodes files of strangers.

Limits keep it from opening anything. Linux's Landlock keeps it from all else that a path is enough for, from deleting
files to truncating them, and from the memory of other processes: https://docs.kernel.org/userspace-api/landlock.html.
Where the kernel has none, or an old one, there is less to hold it: before Linux 6.2 files can be truncated, and before
6.12 processes of the same user be sent signals. None of this keeps it from forking, from memory that it shares with
its forks, from the owners and modes of files, or from the limits of other processes; the unit of the service has to see
that little is to be had by these.
"""

import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path

from workers.memory import MEGABYTE, limit_memory

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446  # on all architectures
_LANDLOCK_CREATE_RULESET_VERSION = 1

_libc = ctypes.CDLL(None, use_errno=True)  # before the fork: there, nothing can be opened any more
if sys.platform == "linux":
    _libc.syscall.argtypes = (ctypes.c_long, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32)
    _libc.syscall.restype = ctypes.c_long


def confine(*, memory: int, cpu_seconds: int, parent: int) -> None:
    """Hold this process, for the rest of its life, to so many bytes and seconds, and to the files that it has open.

    It can open nothing more, no file and no connection, and cannot write to a file that it has. It ends when its parent
    does.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _shut_in()
    if os.getppid() != parent:  # it ended before it was to take us along
        os.kill(os.getpid(), signal.SIGKILL)
    limit_memory(memory // MEGABYTE)
    # At the hard limit Linux sends SIGKILL, which would say nothing; at the soft one it sends SIGXCPU first.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NOFILE):
        resource.setrlimit(limit, (0, 0))


def landlock_version() -> int:
    """Return the version of the kernel's Landlock; 0 if it has none."""
    if sys.platform != "linux":
        return 0
    try:
        return _landlock(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    except OSError as error:
        # The last is what the filter of a container may say that does not know of it.
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return 0
        raise


def adopt_orphans() -> None:
    """Have processes whose parent ends become children of this one, if it began that parent."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def kill_orphans() -> None:
    """End all children, and theirs: a process can leave its group and its session, but not its descent."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    with suppress(ChildProcessError):  # there are no more
        while True:
            os.waitpid(-1, os.WNOHANG)
            for child in children.read_text(encoding="ascii").split():
                os.kill(int(child), signal.SIGKILL)


def _shut_in() -> None:
    """Give up all that this kernel's Landlock can take; what is not known to it has to be zero."""
    version = landlock_version()
    if version == 0:
        return
    # A bit for each kind of access to files: 13 at first, then REFER, TRUNCATE and IOCTL_DEV.
    files = (1 << 13 + (version >= 2) + (version >= 3) + (version >= 5)) - 1
    ports = 0b11 if version >= 4 else 0  # BIND_TCP, CONNECT_TCP
    scopes = 0b11 if version >= 6 else 0  # ABSTRACT_UNIX_SOCKET, SIGNAL
    handled = struct.pack("=QQQ", files, ports, scopes)
    ruleset = _landlock(_LANDLOCK_CREATE_RULESET, handled, len(handled), 0)
    _landlock(_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0)  # it has no rule, and so allows nothing
    os.close(ruleset)


def _landlock(number: int, first: int | bytes | None, second: int, flags: int) -> int:
    result: int = _libc.syscall(number, first, second, flags)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())} (Landlock, system call {number})")
    return result


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")
