"""A credential helper of git's: gives the token to the hosts that it is for, and to no other.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import json
import os
import sys

HELP = "SUBMARINE_FETCH_TOKEN"
"""The variable that says, as JSON: hosts, username and token."""


def main(arguments: list[str]) -> None:
    """Answer git's `get` on its standard output; what it tells to store or erase is not for us."""
    asked = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin if "=" in line)
    if arguments != ["get"] or asked.get("protocol") != "https" or HELP not in os.environ:
        return
    known = json.loads(os.environ[HELP])
    host = asked.get("host", "")
    name, _, port = host.rpartition(":")
    with_port = host if port.isdigit() and name else f"{host}:443"
    if with_port in known["hosts"]:
        sys.stdout.write(f"username={known['username']}\npassword={known['token']}\n")
