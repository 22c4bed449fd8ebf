"""subnb login, logout, whoami."""

from __future__ import annotations

import os
import sys

import click

from submarine_client.cli.app import USER_AGENT, client
from submarine_client.cli.output import safe
from submarine_client.client import Client
from submarine_client.config import Kept, clean_url


@click.command("login")
@click.argument("url", required=False, metavar="[ADDRESS]")
@click.pass_context
def login_command(context: click.Context, url: str | None) -> None:
    """Sign in to a service, and keep its address.

    A token is made on your account's page; it is kept in the system's keyring if the package
    `keyring` is installed, else in a file that you alone can read.
    """
    kept = Kept.load()
    address = clean_url(
        url
        or context.find_root().obj
        or os.environ.get("SUBMARINE_URL", "")
        or kept.current
        or click.prompt("Address of the service", err=True)
    )
    click.echo(f"Make a token at {address}/account and paste it here.", err=True)
    if sys.stdin.isatty():
        token = click.prompt("Token", hide_input=True, err=True)
    else:
        token = sys.stdin.readline()
    token = token.strip()
    with Client(address, token or "none", user_agent=USER_AGENT) as service:
        me = service.me()
    place = kept.keep(address, token)
    click.echo(f"Signed in to {address} as {safe(me.username)}. The token is in {place}.", err=True)


@click.command("logout")
@click.argument("url", required=False, metavar="[ADDRESS]")
def logout_command(url: str | None) -> None:
    """Forget a login. The token stays valid until it is revoked."""
    kept = Kept.load()
    address = clean_url(url) if url else kept.current
    if address not in kept.tokens:
        click.echo("There is no such login.", err=True)
        return
    kept.forget(address)
    click.echo(f"Forgot the login to {address}. `subnb token` revokes tokens.", err=True)


@click.command("whoami")
def whoami_command() -> None:
    """Say who you are, and to which service."""
    service = client()
    click.echo(f"{safe(service.me().username)} at {service.url}")
