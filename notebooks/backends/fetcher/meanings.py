"""What git, ssh and servers mean by what they say.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from notebooks.backends.fetcher import connect
from notebooks.backends.fetcher.git import GitError
from notebooks.backends.fetcher.outcome import Failure

ADDRESS_REFUSED = "The network address of {host} is not one that code may come from."
NAME_UNKNOWN = (
    "The host {host} could not be found (DNS lookup failed: no such name). Check the URL of the "
    "repository."
)
LOOKUP_FAILED = (
    "The host {host} could not be found (DNS lookup failed: no answer). Try again later; an "
    "operator can check the DNS servers."
)
NO_ANSWER = "{host} does not answer."


def address_refused(host: str) -> Failure:
    return Failure("code_refused", ADDRESS_REFUSED.format(host=host))


def name_unknown(host: str) -> Failure:
    return Failure("code_host_unknown", NAME_UNKNOWN.format(host=host))


def lookup_failed(host: str, error: OSError) -> Failure:
    """Say whether the name is unknown, or nobody could tell."""
    is_known_not_to_be = isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN
    text = NAME_UNKNOWN if is_known_not_to_be else LOOKUP_FAILED
    return Failure("code_host_unknown", text.format(host=host))


def no_answer(host: str) -> Failure:
    return Failure("code_host_unknown", NO_ANSWER.format(host=host))


@dataclass(frozen=True)
class _Meaning:
    """`signs` are expressions, in small letters, of which one is found in what was said."""

    code: str
    message: str
    signs: tuple[str, ...]


# In the order in which they count.
_MEANINGS = (
    _Meaning(
        "code_refused",
        ADDRESS_REFUSED,
        (connect.REFUSED,),
    ),
    _Meaning(
        "code_host_unknown",
        LOOKUP_FAILED,
        (connect.LOOKUP_FAILED,),
    ),
    _Meaning(
        "code_host_unknown",
        NAME_UNKNOWN,
        (connect.UNKNOWN, "could not resolve host"),
    ),
    _Meaning(
        "code_host_unknown",
        "The SSH host key of {host} is not the one that the site knows, or it knows none.",
        ("host key verification failed", "remote host identification has changed"),
    ),
    _Meaning(
        "code_host_unknown",
        "The certificate of {host} is not trusted here.",
        ("certificate", "ssl_error"),
    ),
    _Meaning(
        "code_refused",
        "{host} leads on to what is no repository by https or ssh.",
        (r"transport '\w*' not allowed", "protocol .* not (supported|allowed|enabled|disabled)"),
    ),
    _Meaning(
        "code_no_such_ref",
        "It has no branch or tag “{ref}”. A commit is named by all of its 40 characters.",
        (
            "remote branch .* not found",
            "couldn't find remote ref",
            "not our ref",
            "unadvertised object",
            "not a valid sha1",
        ),
    ),
    _Meaning(
        "code_no_access",
        "{host} gives it to nobody without the right credential, or there is no such repository.",
        (
            "could not read (username|password)",
            "authentication failed",
            "returned error: 40[13]",
            "permission denied",
            "access denied",
        ),
    ),
    _Meaning(
        "code_not_found",
        "{host} has no such repository.",
        (
            "not found",
            "does not exist",
            "does not appear to be a git repository",
            "returned error: 4(04|10)",
        ),
    ),
    _Meaning(
        "code_too_large",
        "It is larger than the limit of {mib} MiB, or than the room in the home.",
        ("file too large", "no space left", "disk quota exceeded"),
    ),
    _Meaning(
        "code_refused",
        "It holds what git takes for an attack.",
        ("fsck error", "error in object", "invalid path", "refusing", "suspicious"),
    ),
    _Meaning(
        "code_host_unknown",
        NO_ANSWER,
        (
            "connection (refused|timed out|reset|closed)",
            "could not connect",
            "failed to connect",
            "timed out",
            "no route to host",
            "network is unreachable",
            "connect tunnel failed",
        ),
    ),
    # What git adds to whatever becomes of ssh.
    _Meaning(
        "code_no_access",
        "{host} gives it to nobody without the right credential, or there is no such repository.",
        ("access rights",),
    ),
)


def meaning(error: GitError, *, host: str, ref: str, mib: int) -> Failure:
    """Say what an error of git's means: of fetching `ref` from `host`, with a limit of `mib`."""
    said = error.said.lower()
    for each in _MEANINGS:
        if any(re.search(sign, said) for sign in each.signs):
            return Failure(each.code, each.message.format(host=host, ref=ref, mib=mib))
    lines = [line.strip() for line in error.said.splitlines() if line.strip()]
    last = "".join(char for char in (lines or ["nothing"])[-1] if char.isprintable())
    return Failure("code_failed", f"git ended with code {error.code} and said: {last}")
