"""git, run so that no repository and no server can make it do more than fetch.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Callable, Mapping

from notebooks.backends.fetcher.outcome import Failure

MAX_OUTPUT = 32 * 1024 * 1024
MAX_SAID = 8 * 1024
CHUNK = 64 * 1024

# What fsck finds in old histories, and plain git fetches all the same. What remains an error is
# what git protects its users from: `gitmodules…` and `gitattributes…`. Paths into `.git` and the
# like are refused by the checkout.
_TOLERATED = (
    *("badDate", "badDateOverflow", "badEmail", "badFilemode", "badGpgsig"),
    *("badHeaderContinuation", "badName", "badObjectSha1", "badParentSha1", "badTagName"),
    *("badTimezone", "badTree", "badTreeSha1", "badType", "duplicateEntries", "emptyName"),
    *("extraHeaderEntry", "fullPathname", "gitignoreSymlink", "hasDot", "hasDotdot", "hasDotgit"),
    *("largePathname", "mailmapSymlink", "missingAuthor", "missingCommitter", "missingEmail"),
    *("missingNameBeforeEmail", "missingObject", "missingSpaceBeforeDate"),
    *("missingSpaceBeforeEmail", "missingTag", "missingTagEntry", "missingTaggerEntry"),
    *("missingTree", "missingType", "missingTypeEntry", "multipleAuthors", "nulInCommit"),
    *("nullSha1", "treeNotSorted", "unknownType", "zeroPaddedDate", "zeroPaddedFilemode"),
)

# By the file alone: options of a command line would not reach what git runs in submodules.
SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.ssh.allow": "always",
    "http.followRedirects": "initial",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "http.sslVerify": "true",
    "transfer.fsckObjects": "true",
    "transfer.unpackLimit": "1",
    **{f"fetch.fsck.{name}": "ignore" for name in _TOLERATED},
    "submodule.recurse": "false",
    "safe.bareRepository": "explicit",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "init.defaultBranch": "main",
    "advice.detachedHead": "false",
}


class GitError(Exception):
    """git ended with an error; `said` is the end of what it said of it."""

    def __init__(self, said: str, code: int) -> None:
        super().__init__(said)
        self.said = said
        self.code = code


class Git:
    """`home` is an empty folder of its own. `until` is the time, by the monotonic clock, at which
    whatever runs is killed.
    """

    def __init__(
        self, home: Path, settings: Mapping[str, str], variables: Mapping[str, str], until: float
    ) -> None:
        written = [_setting(name, value) for name, value in {**SETTINGS, **settings}.items()]
        (home / ".gitconfig").write_text("".join(written))
        self._until = until
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "LC_ALL": "C",
            "GIT_ALLOW_PROTOCOL": "https:ssh",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_SSH_VARIANT": "ssh",
            "GIT_TERMINAL_PROMPT": "0",
            # By this the local backend finds what outlived its run.
            **{name: value for name, value in os.environ.items() if name == "SUBMARINE_RUN_ID"},
            **variables,
        }

    def run(self, folder: Path, *arguments: str, given: bytes = b"") -> bytes:
        """Return what it writes. Raises `GitError`, or `Failure` when it takes too long or much."""
        with tempfile.TemporaryFile() as entered:
            entered.write(given)
            entered.seek(0)
            try:
                process = subprocess.Popen(  # noqa: S603
                    ["git", *arguments],  # noqa: S607
                    cwd=folder,
                    env=self._environment,
                    stdin=entered,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                    # SIGXFSZ stays ignored: git says that a file is too large, rather than die.
                    restore_signals=False,
                )
            except FileNotFoundError:
                raise Failure("code_failed", "There is no git in the image.") from None
        with process:
            try:
                output, said = self._read(process)
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode:
            raise GitError(said.decode("utf-8", "replace"), process.returncode)
        return output

    def _read(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
        output, said = bytearray(), bytearray()

        def keep(data: bytes) -> None:
            output.extend(data)
            if len(output) > MAX_OUTPUT:
                raise Failure("code_too_large", "The repository has too many files.")

        def hear(data: bytes) -> None:
            said.extend(data)
            del said[:-MAX_SAID]

        with selectors.DefaultSelector() as selector:
            for pipe, take in ((process.stdout, keep), (process.stderr, hear)):
                assert pipe is not None
                selector.register(pipe, selectors.EVENT_READ, (pipe, take))
            while selector.get_map():
                left = self._until - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                for ready, _ in selector.select(left):
                    _pump(selector, *ready.data)
        process.wait(max(0.1, self._until - time.monotonic()))
        return bytes(output), bytes(said)


def _pump(selector: selectors.BaseSelector, pipe: IO[bytes], take: Callable[[bytes], None]) -> None:
    if data := os.read(pipe.fileno(), CHUNK):
        take(data)
    else:
        selector.unregister(pipe)


def _setting(name: str, value: str) -> str:
    section, _, key = name.rpartition(".")
    head, _, sub = section.partition(".")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'[{head} "{sub}"]\n{key} = "{quoted}"\n' if sub else f'[{head}]\n{key} = "{quoted}"\n'
