"""Why a tool failed, read from what it said. Of several causes the first is told."""

import errno
import re
import signal
from dataclasses import dataclass
from urllib.parse import urlsplit

from environments.builder.outcome import BuildFailed

LAST_LINES = 3
LAST_CHARACTERS = 300

# uv tells in one line, of several causes the first; rattler a cause in each.
_MISSING = (
    re.compile(r"Because (\S+) was not found in the (?:package registry|provided package loc)"),
    re.compile(r"Because there (?:is|are) no versions? of (\S+)"),
    re.compile(r"No candidates were found for ([^\n]+?)(?: \*)?\.?$", re.MULTILINE),
)
_CONFLICT = re.compile(
    r"No solution found when resolving|requirements are unsatisfiable|"
    r"Cannot solve the request because|cannot be installed because"
)
_NO_INDEX = re.compile(
    r"Could not connect|error sending request|[Ff]ailed to fetch|dns error|Connection refused|"
    r"client error|Request failed after|HTTP status (?:client|server) error|"
    r"Unauthorized|Forbidden|invalid peer certificate|failed to fetch repodata|timed out"
)
_FULL = re.compile(r"No space left on device|Disk quota exceeded|os error 28\b|os error 122\b")
_NO_MEMORY = re.compile(
    r"memory allocation of \d+ bytes failed|Cannot allocate memory|MemoryError|os error 12\b|"
    r"signal: 9 \(SIGKILL\)"
)
# Why an index or a channel could not be used; the first that is found is told.
_UNREACHABLE = (
    (
        re.compile(
            r"dns error|failed to lookup address|[Cc]ould not resolve host|"
            r"Name or service not known|Temporary failure in name resolution"
        ),
        "could not be reached (DNS lookup failed)",
    ),
    (
        re.compile(r"certificate"),
        "has a certificate that is not trusted (see SUBMARINE_BUILD_CA_CERTIFICATES)",
    ),
    (re.compile(r"\b401\b|Unauthorized"), "asks for other credentials (401)"),
    (re.compile(r"\b403\b|Forbidden"), "refuses access (403)"),
    (re.compile(r"Connection refused"), "could not be reached (connection refused)"),
    (re.compile(r"timed out"), "could not be reached (it did not answer in time)"),
    (re.compile(r"HTTP status [^\n]*?(?P<detail>\d{3})"), "answered with status {detail}"),
)
_ADDRESS = re.compile(r"(?:https?|file)://[^\s`'\"<>()]+")


@dataclass(frozen=True)
class PackageSource:
    """Where a tool gets packages from: what it is called, and the setting that names it."""

    noun: str
    setting: str


INDEX = PackageSource("package index", "index setting (SUBMARINE_BUILD_INDEXES)")
CHANNEL = PackageSource("conda channel", "channel setting (SUBMARINE_ENVIRONMENTS_CHANNELS)")


def explain(
    what: str, said: list[str], exit_code: int, *, source: PackageSource = INDEX, proxy: str = ""
) -> BuildFailed:
    """Say why `what` failed, which had packages from `source`, through a proxy if there is one."""
    text = "\n".join(said)
    if exit_code in {-signal.SIGKILL, 128 + signal.SIGKILL} or _NO_MEMORY.search(text):
        return BuildFailed(
            "build_out_of_memory", f"{what} ran out of memory. Declare fewer or smaller packages."
        )
    if _FULL.search(text):
        return _full(what)
    for pattern in _MISSING:
        if found := pattern.search(text):
            name = found[1]
            return BuildFailed(
                "package_not_found", f"There is no package “{name}” where packages come from.", name
            )
    if _CONFLICT.search(text):
        return BuildFailed("packages_conflict", _conflict(text))
    if _NO_INDEX.search(text):
        return BuildFailed("index_unavailable", _unavailable(text, source, proxy))
    return BuildFailed("build_failed", f"{what} failed: {_last_words(said) or 'it said nothing'}")


def of_system(error: OSError) -> BuildFailed:
    """Say why this program itself could not do what it does."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _full("The build")
    return BuildFailed("build_failed", f"The store of environments cannot be written to: {error}.")


def _unavailable(text: str, source: PackageSource, proxy: str) -> str:
    found = _ADDRESS.search(text)
    address = found[0].rstrip(".,:") if found else ""
    # Without the user name and password that it may have.
    host = urlsplit(address).netloc.rpartition("@")[2] or address
    reason = "could not be reached"
    for pattern, words in _UNREACHABLE:
        if matched := pattern.search(text):
            reason = words.format(**matched.groupdict())
            break
    if address and f"@ {address}" in text:
        return f"The host {host} of a package's URL {reason}. Check the URL in the requirement."
    place = f" at {host}" if host else ""
    via = f" and the proxy {proxy}" if proxy else ""
    return f"The {source.noun}{place} {reason}. An operator can check the {source.setting}{via}."


def _full(what: str) -> BuildFailed:
    return BuildFailed(
        "build_out_of_disk", f"{what} found the store of environments full: no space is left."
    )


def _conflict(text: str) -> str:
    _, _, because = text.rpartition("Cannot solve the request because of:")
    found = re.search(r"Because .*", because, re.DOTALL)
    said = re.sub(r"[\s│├└─]+", " ", found[0] if found else because).strip()
    return f"The packages cannot be installed together. {said}"


def _last_words(said: list[str]) -> str:
    lines = [line.strip() for line in said if line.strip()]
    return " ".join(lines[-LAST_LINES:])[-LAST_CHARACTERS:]
