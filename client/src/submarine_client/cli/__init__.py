"""The command `subnb`."""

from __future__ import annotations

import os
import sys

import click

from submarine_client.cli.app import app
from submarine_client.cli.exits import INTERRUPTED, exit_code
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
    click.echo(f"{click.style('Error:', fg='red')} {error.message} ({error.code})", err=True)
    if isinstance(error, Refused):
        for name, message in error.fields.items():
            if name not in error.message:
                click.echo(f"  {name}: {message}", err=True)
    if error.advice:
        click.echo(error.advice, err=True)
