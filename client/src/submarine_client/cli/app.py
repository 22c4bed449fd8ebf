"""The command's root, and what all commands have in common."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import click

from submarine_client.version import __version__

if TYPE_CHECKING:
    from submarine_client.client import Client

USER_AGENT = f"subnb/{__version__} python/{platform.python_version()}"

_MODULES = {
    "login": "login",
    "logout": "login",
    "whoami": "login",
    "launch": "launch",
    "list": "sessions",
    "show": "sessions",
    "open": "sessions",
    "logs": "sessions",
    "events": "sessions",
    "stop": "sessions",
    "start": "sessions",
    "delete": "sessions",
    "exec": "work",
    "cp": "work",
    "env": "environments",
    "profile": "environments",
    "volume": "volumes",
    "quota": "quota",
    "secret": "account",
    "token": "account",
    "completion": "completion",
}


class _Root(click.Group):
    """Imports a command's module when it is the one that is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        from importlib import import_module

        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        found: click.Command = getattr(
            import_module(f"submarine_client.cli.{module}"), f"{cmd_name}_command"
        )
        return found


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="subnb")
@click.option("--url", metavar="ADDRESS", help="The service's address [SUBMARINE_URL, or of login]")
@click.pass_context
def app(context: click.Context, url: str | None) -> None:
    """Notebook sessions from the command line."""
    context.obj = url


def client() -> Client:
    """The service, closed at the command's end."""
    from submarine_client.client import Client

    context = click.get_current_context()
    made = Client(context.find_root().obj, user_agent=USER_AGENT)
    context.call_on_close(made.close)
    return made
