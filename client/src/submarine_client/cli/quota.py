"""subnb quota."""

from __future__ import annotations

from datetime import datetime

import click

from submarine_client.cli.app import client
from submarine_client.cli.output import (
    ago,
    cpus,
    mib,
    output_option,
    safe,
    show_list,
    show_one,
)
from submarine_client.cli.sessions import charge_option
from submarine_client.client import Client
from submarine_client.models import Bar, Had, Quota


@click.group("quota", invoke_without_command=True)
@output_option
@click.pass_context
def quota_command(context: click.Context, output: str) -> None:
    """Show what you have, what you may have, and why; or ask for more."""
    if context.invoked_subcommand is not None:
        return
    found = client().quota.get()
    if output in {"json", "yaml"}:
        show_one(found, output, {}, name="")
        return
    show_list(
        found.resources,
        output,
        {
            "RESOURCE": lambda had: had.label,
            "USED": _used,
            "LIMIT": _limit,
            "WHY": _why,
        },
        name=lambda had: had.resource,
        empty="You have nothing, and no limit on what you may have.",
    )
    if output == "table" and found.pools:
        _show_pools(found)


def _show_pools(found: Quota) -> None:
    click.echo()
    show_list(
        [(pool.name, bar) for pool in found.pools for bar in pool.resources],
        "table",
        {
            "POOL": lambda row: row[0],
            "RESOURCE": lambda row: row[1].label,
            "USED": lambda row: _used(row[1]),
            "LIMIT": lambda row: _limit(row[1]),
        },
        name=lambda row: row[0],
        empty="Nothing of your pools is limited.",
    )
    if found.charge_to:
        click.echo(
            f"Charged is “{safe(found.charge_to)}”, unless --charge-to says another.", err=True
        )


@quota_command.command("check")
@click.argument("profile")
@charge_option
@output_option
def check_quota(profile: str, charge_to: str | None, output: str) -> int:
    """Ask whether a session of a size would be let in now. Exits with 1 if not."""
    checked = client().quota.check(profile, charge_to=charge_to)
    holders = {each.id: each for short in checked.shortages for each in short.holders}.values()
    show_one(
        checked,
        output,
        {
            "Fits": checked.fits,
            "Why not": " ".join(each.message for each in checked.shortages),
            "To stop": [each.name for each in holders if each.can_stop],
            "Ending": [each.name for each in holders if each.is_ending],
        },
        name=profile,
    )
    return 0 if checked.fits else 1


@quota_command.command("ask")
@click.argument("resource")
@click.argument("amount")
@click.option("--why", required=True, help="What you need it for.")
@click.option("--until", type=click.DateTime(), help="If not given: for good.")
def ask_for_more(resource: str, amount: str, why: str, until: datetime | None) -> None:
    """Ask operators for more: how much of a RESOURCE you want to have in all.

    Such as 16 of CPU, "64 GiB" of memory, or 2 of gpu:a100.
    """
    service = client()
    asked = service.quota.requests.ask(_resource(service, resource), amount, why=why, until=until)
    click.echo(f"Asked for {safe(asked.text)}. `subnb quota requests` has the answer.", err=True)


@quota_command.command("requests")
@output_option
def list_requests(output: str) -> None:
    """List what you asked for, newest first."""
    show_list(
        client().quota.requests.list(),
        output,
        {
            "RESOURCE": lambda asked: asked.resource,
            "AMOUNT": lambda asked: asked.text,
            "UNTIL": lambda asked: asked.until,
            "STATE": lambda asked: asked.state,
            "ANSWER": lambda asked: asked.word,
            "CREATED": lambda asked: asked.created_at,
            "ID": lambda asked: asked.id,
        },
        name=lambda asked: asked.id,
        empty="You have asked for nothing.",
    )


@quota_command.command("withdraw")
@click.argument("request")
def withdraw_request(request: str) -> None:
    """Take a request back that is not decided, by its id."""
    client().quota.requests.withdraw(request)
    click.echo("It is withdrawn.", err=True)


def _resource(service: Client, said: str) -> str:
    """As the service names it what people may call as the table does."""
    known = service.quota.get().resources
    return next((had.resource for had in known if said.lower() == had.label.lower()), said)


def _used(bar: Bar) -> str:
    return _amount(bar.resource, bar.used)


def _limit(bar: Bar) -> str:
    return _amount(bar.resource, bar.limit)


def _amount(resource: str, amount: int | None) -> str:
    if amount is None:
        return "unlimited"
    if resource.endswith("_mib"):
        return mib(amount)
    return cpus(amount) if resource.endswith("_milli") else str(amount)


def _why(had: Had) -> str:
    rule = had.rule
    if rule is None:
        return "no rule limits it"
    whose = {"user": "your own", "group": f"each member of {rule.group}"}
    ends = f", ends {ago(rule.until)}" if rule.until else ""
    reason = f": {rule.reason}" if rule.reason else ""
    return f"{whose.get(rule.scope, 'each user')}{ends}{reason}"
