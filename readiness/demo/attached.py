"""A command line -> the same command as a child that dies with its parent, unprivileged if asked.

Run by path as `python -I -S attached.py PARENT_PID UID GID PROGRAM [ARGUMENT]...`; a UID of -1
keeps the user. A program of its own because code run between fork and exec deadlocks in a parent
that has threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the program named on the command line."""
    parent, uid, gid = (int(argument) for argument in sys.argv[1:4])
    program = sys.argv[4:]
    if uid != -1:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec passes it on
        signal.signal(ignored, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)  # setuid would have undone it
        if os.getppid() != parent:
            raise SystemExit("the parent is gone")
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
