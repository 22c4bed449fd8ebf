"""The command `subnb`."""

from __future__ import annotations

import os
import sys

import click

from submarine_client.cli.app import app
from submarine_client.cli.exits import INTERRUPTED, exit_code
from submarine_client.cli.output import safe
from submarine_client.errors import Refused, SubmarineError


def main() -> None:
    """Do what the command line says. Whatever happens, the user is told in words."""
    sys.exit(_run())


def _run() -> int:
    try:
        result = app.main(prog_name="subnb", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Broken off.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read it has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SubmarineError as error:
        say(error)
        return exit_code(error)
    except OSError as error:
        click.echo(f"{click.style('Error:', fg='red')} {error}", err=True)
        return 1
    return result if isinstance(result, int) else 0


def say(error: SubmarineError) -> None:
    """Tell the user what went wrong, and what to do."""
    said, fields = error.message, error.fields if isinstance(error, Refused) else {}
    fields = {name: why for name, why in fields.items() if name not in said}
    if list(fields.values()) == [said]:
        said, fields = f"{next(iter(fields))}: {said}", {}
    click.echo(f"{click.style('Error:', fg='red')} {_plain(said)} ({_plain(error.code)})", err=True)
    for name, why in fields.items():
        click.echo(f"  {_plain(name)}: {_plain(why)}", err=True)
    if error.advice:
        click.echo(_plain(error.advice), err=True)


def _plain(text: str) -> str:
    """On one line, with nothing that a terminal would obey."""
    return " ".join(safe(line) for line in text.splitlines())
