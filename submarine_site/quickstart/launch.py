"""Become the command that follows, bound to the process that asked for it. Run as a script.

`launch.py PARENT SIGNAL OWNER COMMAND…`: when PARENT ends, however it ends, the command gets
SIGNAL (Linux only). OWNER is a user id, or -1 to stay who we are. With an OWNER the command keeps
one power of root, to pass any folder's permissions: the data and the programs may lie where only
root may look, and PostgreSQL, which refuses to run as root, asks for nothing more than its user id.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

# From linux/prctl.h and linux/capability.h.
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _prctl(*arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # Variadic in C, and the kernel reads all of them as unsigned long.
    padded = (*arguments, 0, 0, 0, 0)[:5]
    _checked(libc.prctl(*map(ctypes.c_ulong, padded)))


def become(user: int) -> None:
    """Change to a user without rights, keeping the one capability across the coming exec."""
    with suppress(OSError):
        # Without this, access() leaves the capability out, and programs that ask it about
        # themselves take themselves for not executable. Where it is not allowed, they work if
        # they do not lie in a closed folder.
        _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    capability = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, for capabilities 0-31 and then 32-63.
    data = (ctypes.c_uint32 * 6)(capability, capability, capability, 0, 0, 0)
    _checked(ctypes.CDLL(None, use_errno=True).capset(header, data))
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)


def main() -> None:
    """Replace this process by the command."""
    parent, number, user = (int(word) for word in sys.argv[1:4])
    command = sys.argv[4:]
    try:
        if user >= 0:
            become(user)
    except (OSError, AttributeError) as error:
        sys.exit(
            f"{Path(command[0]).name} does not run as root, and no other user can "
            f"be used here ({error}): run as an ordinary user, or set DATABASE_URL."
        )
    if sys.platform == "linux":
        # Only now: a change of the user clears it.
        _prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # It ended before we could ask to be told.
            sys.exit(128 + signal.SIGTERM)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
