"""Folders that are read-only to this process, and to all that it starts.

Part of the program `before`: the standard library alone.
"""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SLAVE = 0x8_0000
# The number of this call is the same on every architecture; C libraries know it since 2022.
SYS_MOUNT_SETATTR = 442
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
MOUNT_ATTR_RDONLY = 1


class MountAttributes(ctypes.Structure):
    """`struct mount_attr`."""

    _fields_ = tuple(
        (name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")
    )


def make_read_only(folders: list[str]) -> None:
    """Do it, in a mount namespace of its own. Raises `OSError` where the machine cannot."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    libc = ctypes.CDLL(None, use_errno=True)
    _leave_mounts(libc)
    # What the machine mounts later is seen here too, and nothing of here there.
    _call(libc.mount, None, b"/", None, MS_REC | MS_SLAVE, None)
    attributes = MountAttributes(attr_set=MOUNT_ATTR_RDONLY)
    for folder in map(os.fsencode, folders):
        _call(libc.mount, folder, folder, None, MS_BIND | MS_REC, None)
        _call(
            libc.syscall,
            ctypes.c_long(SYS_MOUNT_SETATTR),
            AT_FDCWD,
            folder,
            AT_RECURSIVE,
            ctypes.byref(attributes),
            ctypes.c_size_t(ctypes.sizeof(attributes)),
        )


def _leave_mounts(libc: ctypes.CDLL) -> None:
    """Have mounts of our own: as who may, else as the same user of a user namespace."""
    user, group = os.geteuid(), os.getegid()
    try:
        _call(libc.unshare, CLONE_NEWNS)
    except PermissionError:
        _call(libc.unshare, CLONE_NEWUSER | CLONE_NEWNS)
        # Without it, nobody but root may say which groups are which.
        Path("/proc/self/setgroups").write_bytes(b"deny")
        Path("/proc/self/uid_map").write_bytes(b"%d %d 1" % (user, user))
        Path("/proc/self/gid_map").write_bytes(b"%d %d 1" % (group, group))


def _call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
