"""What the operating system keeps a process to that decodes files of strangers."""

import ctypes
import os
import resource
import signal
import sys

from workers.memory import MEGABYTE, limit_memory

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38

# Found before the fork: there, nothing can be opened any more.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def confine(*, memory: int, cpu_seconds: int, parent: int) -> None:
    """Hold this process, for the rest of its life, to so many bytes and seconds, and to the files that it has open.

    It can open nothing more, no file and no connection, and cannot write to a file that it has. It ends when its parent
    does.
    """
    limit_memory(memory // MEGABYTE)
    # At the hard limit Linux sends SIGKILL, which would say nothing; at the soft one it sends SIGXCPU first.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NOFILE):
        resource.setrlimit(limit, (0, 0))
    if _prctl is not None:
        for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_PDEATHSIG, signal.SIGKILL)):
            if _prctl(option, value, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), f"prctl({option})")
    if os.getppid() != parent:  # it ended before it was to take us along
        os.kill(os.getpid(), signal.SIGKILL)
