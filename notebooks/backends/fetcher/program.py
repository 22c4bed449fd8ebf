"""The whole of it: one repository after the other, each with what came of it.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import shlex
import ssl
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

from notebooks.backends.fetcher import connect, credential
from notebooks.backends.fetcher.addresses import Networks
from notebooks.backends.fetcher.checkout import MIB, Checkout
from notebooks.backends.fetcher.git import Git
from notebooks.backends.fetcher.lfs import Connections
from notebooks.backends.fetcher.outcome import Failure, Outcome, dump
from notebooks.backends.fetcher.relay import Relay
from notebooks.backends.fetcher.request import Request, Rules, Source

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def main(arguments: list[str]) -> None:
    """Do what the request says, write the outcomes, and become the command if one is given."""
    asked, told, *command = arguments
    outcomes = _fetch_all(Path(asked))
    # The session starts without code rather than not at all.
    with suppress(OSError):
        Path(told).write_text(dump(outcomes))
    if command:
        os.execv(command[0], command)  # noqa: S606


def _fetch_all(asked: Path) -> list[Outcome]:
    request = Request.load(asked.read_text())
    # It has credentials in it. In a pod it is mounted, and mounted nowhere else.
    with suppress(OSError):
        asked.unlink()
    until = time.monotonic() + request.rules.seconds
    outcomes = []
    with _limited(request.rules):
        for source in request.sources:
            began = time.monotonic()
            outcome = _fetch(source, request, until)
            outcomes.append(outcome)
            words = f"{outcome.status} {outcome.code} {outcome.message}".strip()
            # In the session's log.
            sys.stdout.write(f"{source.url}: {words} ({time.monotonic() - began:.1f} s)\n")
            sys.stdout.flush()
    return outcomes


def _fetch(source: Source, request: Request, until: float) -> Outcome:
    try:
        return _try(source, request, until)
    except Failure as failure:
        return failure.outcome
    except TimeoutError:
        message = f"It took longer than {request.rules.seconds} s."
        return Outcome("failed", "code_timed_out", message)
    except OSError as error:
        if error.errno in FULL:
            return Outcome("failed", "code_too_large", "There is no room for it in the home.")
        return Outcome("failed", "code_failed", f"{error.strerror}.")
    except Exception as error:  # noqa: BLE001 - whatever it is, the session starts
        return Outcome("failed", "code_failed", f"{type(error).__name__} in what fetches code.")


def _try(source: Source, request: Request, until: float) -> Outcome:
    rules = request.rules
    if source.needs_access and source.access is None:
        raise Failure(
            "code_no_access", "The git credential chosen for it is gone or cannot be read."
        )
    networks = Networks.of(allowed=rules.allowed_networks, blocked=rules.blocked_networks)
    with tempfile.TemporaryDirectory() as own, Relay(networks, until) as relay:
        git = _git(Path(own), source, rules, relay, until)
        connections = Connections(relay.server_address[1], _trusted(rules), until)
        checkout = Checkout(
            source,
            Path(request.home),
            git,
            rules,
            trouble=relay.take_trouble,
            connections=connections,
        )
        return checkout.run()


def _trusted(rules: Rules) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if rules.ca_certificates:
        context.load_verify_locations(cadata=rules.ca_certificates)
    return context


def _git(own: Path, source: Source, rules: Rules, relay: Relay, until: float) -> Git:
    """Git with a home of its own, and what it needs for this source alone."""
    this = [sys.executable, "-I", "-S", str(Path(__file__).parent)]
    known_hosts, key = own / "known_hosts", own / "key"
    known_hosts.write_text(rules.known_hosts)
    access = source.access
    variables = {}
    key_hosts: tuple[str, ...] = ()
    if access and access.token:
        variables[credential.HELP] = json.dumps(
            {"hosts": access.hosts, "username": access.username, "token": access.token}
        )
    if access and access.ssh_key:
        key.touch(mode=0o600)
        key.write_text(access.ssh_key)
        key_hosts = access.hosts
    variables["GIT_SSH_COMMAND"] = shlex.join([*this, "ssh"])
    variables[connect.HELP] = json.dumps(
        {
            "allowed": rules.allowed_networks,
            "blocked": rules.blocked_networks,
            "known_hosts": str(known_hosts),
            "key": str(key),
            "key_hosts": key_hosts,
        }
    )
    settings = {
        "http.proxy": relay.url,
        "credential.helper": f"!{shlex.join([*this, 'credential'])}",
    }
    if rules.ca_certificates:
        trusted = own / "certificates.pem"
        trusted.write_text(_system_certificates() + rules.ca_certificates)
        settings["http.sslCAInfo"] = str(trusted)
    (own / "home").mkdir()
    return Git(own / "home", settings, variables, until)


def _system_certificates() -> str:
    bundle = ssl.get_default_verify_paths().cafile
    return Path(bundle).read_text() + "\n" if bundle else ""


@contextmanager
def _limited(rules: Rules) -> Iterator[None]:
    """Let no file that is written meanwhile, such as a pack of objects, be larger than allowed."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    wanted = rules.mib * MIB
    limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
