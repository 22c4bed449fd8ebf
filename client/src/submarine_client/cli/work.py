"""subnb exec and cp: work in a session."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath
from typing import TextIO

import click

from submarine_client.cli.app import client
from submarine_client.errors import ExecutionFailed


@click.command("exec")
@click.argument("session")
@click.argument("code", required=False)
@click.argument("arguments", nargs=-1)
@click.option("-f", "--file", type=click.File(encoding="utf-8"), help="A Python file; - is stdin.")
@click.option("--kernel", metavar="NAME", help="Default: the kernel of new notebooks.")
@click.option("--timeout", type=float, metavar="SECONDS", help="The longest time without output.")
def exec_command(
    session: str,
    code: str | None,
    arguments: tuple[str, ...],
    file: TextIO | None,
    kernel: str | None,
    timeout: float | None,
) -> int:
    """Run Python in a running session: CODE, or a file with the ARGUMENTS that follow.

    What it prints is printed, and the value of a last expression. Exits with 8 if it raises an
    error.
    """
    if file is None:
        if code is None:
            raise click.UsageError("Say what to run: CODE, or -f FILE.")
        if code.endswith(".py") and Path(code).is_file():
            raise click.UsageError(f"{code} is a file here: run it by -f {code}.")
        if arguments:
            raise click.UsageError("Arguments are for a file: -f FILE.")
    found = client().sessions.get(session)
    with found.kernel(kernel) as running:
        try:
            if file is not None:
                given = [file.name, *([code] if code is not None else []), *arguments]
                # Apart, and by its name: so that what it raises says where, and no more.
                running.run(
                    f"import sys; sys.argv[:] = {given!r}; "
                    f"_program = compile({file.read()!r}, {file.name!r}, 'exec')"
                )
                code = "exec(_program)"
            for output in running.stream(code or "", timeout=timeout):
                text = output.text if output.kind in {"stdout", "stderr"} else f"{output.text}\n"
                click.echo(text, nl=False, err=output.kind == "stderr")
        except ExecutionFailed as error:
            if error.name == "SystemExit" and error.value in {"", "0", "None"}:
                return 0
            click.echo("\n".join(error.traceback) or error.message, err=True)
            return 8
    return 0


@click.command("cp")
@click.argument("source")
@click.argument("to")
def cp_command(source: str, to: str) -> None:
    """Copy a file or folder to or from a running session.

    A place in a session is SESSION:PATH, below its home. What is copied into a folder keeps its
    name.
    """
    far_source, far_to = _far(source), _far(to)
    if (far_source is None) == (far_to is None):
        raise click.UsageError("One of the two is to be SESSION:PATH.")
    copied = _Copied()
    if far_source is not None:
        name, path = far_source
        files = client().sessions.get(name).files
        target = Path(to)
        if target.is_dir() and PurePosixPath(path).name:
            target /= PurePosixPath(path).name
        files.download(path, target, on_progress=copied.more)
    elif far_to is not None:
        name, path = far_to
        files = client().sessions.get(name).files
        if not path or path.endswith("/") or files.is_folder(path):
            path = f"{path.rstrip('/')}/{Path(source).resolve().name}".lstrip("/")
        files.upload(source, path, on_progress=copied.more)
    copied.end()


def _far(place: str) -> tuple[str, str] | None:
    """Session and path, unless it is a path of this computer: say ./a:b for one with a colon."""
    session, colon, path = place.partition(":")
    is_drive = len(session) == 1 and path.startswith(("\\", "/"))
    if not colon or not session or "/" in session or is_drive:
        return None
    return session, path.lstrip("/")


class _Copied:
    """How much has been copied, for who watches."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._bytes = 0
        self._paths: set[str] = set()

    def more(self, path: str, count: int) -> None:
        self._bytes += count
        self._paths.add(path)
        if self._is_live:
            click.echo(f"\r\x1b[K{self._text()} …", err=True, nl=False)

    def end(self) -> None:
        start = "\r\x1b[K" if self._is_live else ""
        click.echo(f"{start}Copied {self._text()}.", err=True)

    def _text(self) -> str:
        size = self._bytes / 2**20
        amount = f"{size:.1f} MiB" if size >= 0.1 else f"{self._bytes} bytes"
        count = len(self._paths)
        return f"{count} file{'' if count == 1 else 's'}, {amount}"
