"""Becomes another program as nobody's child: `python -I -S detach.py PROGRAM [ARGUMENT]…`.

What is open for it to inherit, such as a lock that is held, stays open for as long as it lives.
"""

import os
import sys


def main() -> None:
    # Leave the one who started us: it waits for this process only, and reaps it.
    if os.fork():
        os._exit(0)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606


if __name__ == "__main__":
    main()
