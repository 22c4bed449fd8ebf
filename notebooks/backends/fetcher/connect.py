"""What git runs in place of ssh: ssh, to an address that is allowed and a host that is known.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import json
import os
import socket
import sys

from notebooks.backends.fetcher.addresses import Networks, Refused

HELP = "SUBMARINE_FETCH_SSH"
"""The variable that says, as JSON: networks, and the files of known hosts and of a key."""

REFUSED = "submarine: refused"
UNKNOWN = "submarine: unknown"
LOOKUP_FAILED = "submarine: lookup failed"
USUAL_PORT = 22


def main(arguments: list[str]) -> None:
    """Become ssh. `arguments` are those that git gives to OpenSSH."""
    rules = json.loads(os.environ[HELP])
    port, destination, command = _read(arguments)
    user, _, host = destination.rpartition("@")
    host = host.strip("[]")
    networks = Networks.of(allowed=rules["allowed"], blocked=rules["blocked"])
    try:
        address, _ = networks.resolve(host, port)[0]
    except Refused:
        sys.exit(REFUSED)
    except (OSError, UnicodeError) as error:
        again = getattr(error, "errno", None) == socket.EAI_AGAIN
        sys.exit(LOOKUP_FAILED if again else UNKNOWN)
    with_key = f"{host}:{port}" in rules["key_hosts"]
    options = {
        "BatchMode": "yes",
        "ClearAllForwardings": "yes",
        "ConnectTimeout": "15",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": host if port == USUAL_PORT else f"[{host}]:{port}",
        "HostName": address,
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "IdentityFile": rules["key"] if with_key else "none",
        "PreferredAuthentications": "publickey",
        "SendEnv": "GIT_PROTOCOL",
        "ServerAliveInterval": "15",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "UserKnownHostsFile": rules["known_hosts"],
    }
    # No configuration of the home's or the machine's own.
    argv = ["ssh", "-F", "/dev/null", "-T", "-p", str(port)]
    for name, value in options.items():
        argv += ["-o", f"{name}={value}"]
    os.execvp("ssh", [*argv, *(["-l", user] if user else []), "--", host, command])  # noqa: S606, S607


def _read(arguments: list[str]) -> tuple[int, str, str]:
    """Port, `user@host` and command."""
    port, rest = USUAL_PORT, list(arguments)
    while rest[0].startswith("-"):
        option = rest.pop(0)
        if option in {"-p", "-o"}:
            value = rest.pop(0)
            if option == "-p":
                port = int(value)
    destination, command = rest
    return port, destination, command
