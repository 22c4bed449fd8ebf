"""What a token is for, as an option."""

import click

SCOPES = ("read", "launch", "access", "manage", "admin")

scope_option = click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What the token may do. May be given several times.",
)
