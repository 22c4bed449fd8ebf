"""subnb completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from submarine_client.cli.app import app


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print what completes commands in a shell: eval "$(subnb completion bash)"."""
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(app, {}, "subnb", "_SUBNB_COMPLETE").source())
