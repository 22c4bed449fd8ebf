"""subnb secret, token."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from submarine_client.cli.app import client
from submarine_client.cli.output import output_option, safe, show_list
from submarine_client.cli.scopes import scope_option
from submarine_client.errors import NotFound

if TYPE_CHECKING:
    from submarine_client.models import Secret, Token


@click.group("secret")
def secret_command() -> None:
    """What sessions can be given at their start. Values go in and never come out."""


@secret_command.command("list")
@output_option
def list_secrets(output: str) -> None:
    """List your secrets, without their values."""
    show_list(
        client().secrets.list(),
        output,
        {
            "NAME": lambda secret: secret.name,
            "KIND": lambda secret: secret.kind,
            "SESSIONS": lambda secret: secret.sessions,
            "CHANGED": lambda secret: secret.updated_at,
            "LAST USED": lambda secret: secret.last_used_at,
        },
        name=lambda secret: secret.name,
        empty="You have none.",
    )


@secret_command.command("set")
@click.argument("name")
@click.option("-f", "--file", type=click.File("rb"), help="Its value; - is stdin.")
@click.option(
    "--kind", type=click.Choice(["variable", "file"]), default="variable", show_default=True
)
def set_secret(name: str, file: BinaryIO | None, kind: str) -> None:
    """Store a secret, or replace its value. Without a file it is asked for."""
    if file is not None:
        value = file.read().decode()
    elif sys.stdin.isatty():
        value = click.prompt("Value", hide_input=True, err=True)
    else:
        value = sys.stdin.readline().rstrip("\n")
    secrets = client().secrets
    known: list[Secret] = [each for each in secrets.list() if each.name == name]
    if known:
        secrets.replace(known[0].id, value)
    else:
        secrets.create(name, value, kind=kind)
    click.echo(f"“{safe(name)}” is stored. Sessions have it from their next start.", err=True)


@secret_command.command("delete")
@click.argument("name")
def delete_secret(name: str) -> None:
    """Delete a secret; sessions that pick it start without it."""
    secrets = client().secrets
    known = [each for each in secrets.list() if each.name == name]
    if not known:
        raise NotFound(f"None of your secrets is named “{name}”.", code="not_found")
    secrets.delete(known[0].id)
    click.echo(f"Deleted “{safe(name)}”.", err=True)


@click.group("token")
def token_command() -> None:
    """Your API tokens."""


@token_command.command("list")
@output_option
def list_tokens(output: str) -> None:
    """List your API tokens."""
    show_list(
        client().tokens.list(),
        output,
        {
            "NAME": lambda token: token.name,
            "BEGINS": lambda token: token.hint,
            "MAY": lambda token: token.scopes,
            "LAST USED": lambda token: token.last_used_at,
            "FROM": lambda token: token.last_used_from,
            "EXPIRES": lambda token: token.expires_at,
            "ID": lambda token: token.id,
        },
        name=lambda token: token.id,
        empty="You have none.",
    )


@token_command.command("create")
@click.argument("name")
@scope_option
@click.option("--days", type=int, help="How long it lasts.")
def create_token(name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Make an API token and print it, this once.

    It gets no scope that your login has not got, and ends with it at the latest. Without --scope
    it has what working with sessions takes: read, launch, access.
    """
    made = client().tokens.create(name, scopes=scopes or None, expires_in_days=days)
    click.echo(made.token)
    told = f"It may {', '.join(made.scopes)}, until {made.expires_at:%Y-%m-%d}."
    click.echo(safe(told), err=True)


@token_command.command("revoke")
@click.argument("token", required=False)
@click.option("--all", "every", is_flag=True, help="All of them, that of your login too.")
def revoke_token(token: str | None, every: bool) -> None:
    """Revoke a token, by its id, name, or how it begins; or all."""
    if every == (token is not None):
        raise click.UsageError("Name a token, or say --all.")
    tokens = client().tokens
    if every:
        click.echo(f"Revoked {tokens.revoke_all()}. `subnb login` signs in again.", err=True)
        return
    found: list[Token] = [
        each for each in tokens.list() if token in (each.id, each.name, each.hint)
    ]
    if len(found) != 1:
        what = f"{len(found)} of your tokens are" if found else "None of your tokens is"
        raise NotFound(f"{what} named “{token}”.", code="ambiguous" if found else "not_found")
    tokens.revoke(found[0].id)
    click.echo(f"Revoked “{safe(found[0].name)}”.", err=True)
