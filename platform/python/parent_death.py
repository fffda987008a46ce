"""Processes that end when the one that started them does, also after a kill -9."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

# Loaded here, not in the child between fork and exec, where little is allowed.
libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _ask_for_signal(number):
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def die_with_parent():
    """SIGTERM for this process when its parent ends."""
    parent = os.getppid()
    _ask_for_signal(signal.SIGTERM)
    # The parent may have ended before the request.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def spawner_preexec(before):
    """A preexec_fn: what the spawner wants, then the lab's death with the hub's."""
    hub = os.getpid()

    def preexec():
        before()
        _ask_for_signal(signal.SIGTERM)
        if os.getppid() != hub:
            os._exit(1)

    return preexec
