"""Becomes another program as nobody's child: `python -I -S detach.py LOCK PROGRAM [ARGUMENT]…`.

The lock is held for as long as the program lives, and by none of what that starts.
"""

import os
import sys


def main() -> None:
    # Leave the one who started us: it waits for this process only, and reaps it.
    if os.fork():
        os._exit(0)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606


if __name__ == "__main__":
    main()
