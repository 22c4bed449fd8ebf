"""subnb login, logout, whoami."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import secrets
import sys
import webbrowser
from collections.abc import Sequence
from urllib.parse import urlencode

import click

from submarine_client.cli.app import USER_AGENT, client
from submarine_client.cli.output import safe
from submarine_client.cli.scopes import scope_option
from submarine_client.client import Client
from submarine_client.config import Kept, clean_url


@click.command("login")
@click.argument("url", required=False, metavar="[ADDRESS]")
@click.option("--token", "has_token", is_flag=True, help="Ask for a token, or read it from stdin.")
@scope_option
@click.pass_context
def login_command(
    context: click.Context, url: str | None, has_token: bool, scopes: tuple[str, ...]
) -> None:
    """Sign in to a service in your browser, or by a token, and keep its address.

    In the browser you decide what the token may do; --scope says what is proposed there, which is
    otherwise all that takes no operator.

    The token is kept in the system's keyring if the package `keyring` is installed, else in a
    file that you alone can read.
    """
    kept = Kept.load()
    address = clean_url(
        url
        or context.find_root().obj
        or os.environ.get("SUBMARINE_URL", "")
        or kept.current
        or click.prompt("Address of the service", err=True)
    )
    if not has_token and sys.stdin.isatty():
        token = _by_browser(address, scopes)
    elif sys.stdin.isatty():
        token = str(click.prompt("Token", hide_input=True, err=True)).strip()
    else:
        token = sys.stdin.readline().strip()
    with Client(address, token or "none", user_agent=USER_AGENT) as service:
        me = service.me()
    place = kept.keep(address, token)
    click.echo(f"Signed in to {address} as {safe(me.username)}. The token is in {place}.", err=True)


def _by_browser(address: str, scopes: Sequence[str]) -> str:
    """Ask for leave in the browser; the code that the user pastes is changed for a token."""
    verifier = secrets.token_urlsafe(32)
    hashed = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
    name = f"subnb on {platform.node()}"[:80]
    asked = urlencode(
        [("name", name), ("challenge", challenge), *(("scopes", each) for each in scopes)]
    )
    page = f"{address}/account/allow-program?{asked}"
    click.echo(f"Allow it in your browser, and paste the code here:\n  {page}", err=True)
    webbrowser.open(page)
    code = str(click.prompt("Code", hide_input=True, err=True)).strip()
    with Client(address, user_agent=USER_AGENT) as service:
        return service.redeem_login(code, verifier).token


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
