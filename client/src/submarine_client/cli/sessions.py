"""subnb list, show, open, logs, events, stop, start, delete."""

from __future__ import annotations

import sys
import webbrowser
from typing import TYPE_CHECKING

import click

from submarine_client.cli.app import client
from submarine_client.cli.output import cpus, mib, output_option, safe, show_list, show_one
from submarine_client.cli.progress import wait

if TYPE_CHECKING:
    from submarine_client.sessions import Session
    from submarine_client.steps import Sync

STATES = ("requested", "starting", "running", "stopping", "stopped", "failed")
ORDERS = ("-created_at", "created_at", "name", "-name")


timeout_option = click.option(
    "--timeout", type=float, metavar="SECONDS", help="Wait no longer than this."
)
charge_option = click.option(
    "--charge-to", metavar="GROUP", help="Whose pool is charged: see `subnb quota`."
)


@click.command("list")
@click.option("--status", multiple=True, type=click.Choice(STATES), help="May be given repeatedly.")
@click.option("--name", help="A part of the name.")
@click.option("--profile")
@click.option("--env", "environment")
@click.option("--sort", type=click.Choice(ORDERS), help="By this, descending with a `-` before it.")
@output_option
def list_command(
    status: tuple[str, ...],
    name: str | None,
    profile: str | None,
    environment: str | None,
    sort: str | None,
    output: str,
) -> None:
    """List your sessions, newest first unless it is said otherwise."""
    found = client().sessions.list(
        status=status, name=name, profile=profile, environment=environment, ordering=sort
    )
    show_list(
        (each.info for each in found),
        output,
        {
            "NAME": lambda info: info.name,
            "STATUS": lambda info: info.status,
            "SIZE": lambda info: info.profile,
            "ENVIRONMENT": lambda info: f"{info.environment} v{info.environment_version}",
            "CREATED": lambda info: info.created_at,
            "ID": lambda info: info.id,
        },
        name=lambda info: info.id,
        empty="You have no such sessions. `subnb launch` starts one.",
    )


@click.command("show")
@click.argument("session")
@output_option
def show_command(session: str, output: str) -> None:
    """Show a session, by name or id."""
    show(client().sessions.get(session), output)


def show(session: Session[Sync], output: str) -> None:
    """Print a session."""
    info = session.info
    run, reason = info.run, info.reason
    size = (
        f"{run.profile_name}: {cpus(run.cpu_milli)} CPU, {mib(run.memory_mib)}"
        + (f", {run.gpus} GPU" if run.gpus else "")
        if run
        else info.profile
    )
    facts = {
        "Name": info.name,
        "Id": info.id,
        "Status": info.status,
        "Since": info.status_changed_at,
        "Why": reason and f"{reason.title}: {reason.message}",
        "What to do": reason and reason.advice,
        "Size": size,
        "Environment": f"{info.environment} v{info.environment_version}",
        "Image": run and run.image,
        "Run": run and run.number,
        "Variables": list(info.variables),
        "Secrets": info.secrets,
        "Code": [f"{each.url} → {each.folder} ({each.status})" for each in info.code],
        "Volumes": [
            f"{each.path}{' (read only)' if each.read_only else ''}" for each in info.mounts
        ],
        "Charged to": info.charged_to,
        "Created": info.created_at,
        "Last used": info.last_activity_at,
        "Stops": run and run.stops_at,
        "Stops if idle": info.idle_stop_at,
    }
    show_one(info, output, facts, name=info.id)


@click.command("open")
@click.argument("session")
@click.option("--path", default="lab", show_default=True, help="Such as lab/tree/notes.ipynb.")
@click.option("--print", "only_print", is_flag=True, help="Print the address, open no browser.")
@timeout_option
def open_command(session: str, path: str, only_print: bool, timeout: float | None) -> None:
    """Open a session in a browser, once it runs."""
    found = client().sessions.get(session)
    if found.status in {"requested", "starting"}:
        wait(found, "running", timeout)
    browse(found, path, only_print=only_print)


def browse(session: Session[Sync], path: str, *, only_print: bool) -> None:
    """Open it in a browser; where there is none, print the address."""
    url = session.open(path).url
    if only_print or not webbrowser.open(url):
        click.echo(url)
        click.echo("The address works once, within 30 seconds.", err=True)


@click.command("logs")
@click.argument("session")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
def logs_command(session: str, follow: bool) -> None:
    """Print the end of a session's log."""
    found = client().sessions.get(session)
    lines = found.follow_log() if follow else found.log().splitlines()
    for line in lines:
        click.echo(line)


@click.command("events")
@click.argument("session")
@output_option
def events_command(session: str, output: str) -> None:
    """List what happened to a session, newest first."""
    show_list(
        client().sessions.get(session).events(),
        output,
        {
            "WHEN": lambda event: event.created_at,
            "FROM": lambda event: event.from_status,
            "TO": lambda event: event.to_status,
            "BY": lambda event: event.actor or "",
            "WHY": lambda event: event.message or event.code,
        },
        name=lambda event: str(event.id),
        empty="Nothing has happened to it.",
    )


@click.command("stop")
@click.argument("sessions", nargs=-1, required=True)
@click.option("--wait/--no-wait", "waits", default=True, show_default=True)
@timeout_option
def stop_command(sessions: tuple[str, ...], waits: bool, timeout: float | None) -> None:
    """Stop sessions. Their homes and volumes stay."""
    asked = client().sessions
    stopping = [asked.get(each).stop() for each in sessions]
    for each in stopping:
        if waits:
            wait(each, "stopped", timeout)
        click.echo(f"“{safe(each.name)}” is {each.status}.", err=True)


@click.command("start")
@click.argument("session")
@click.option("--rescue", is_flag=True, help="Without its code, the server's files elsewhere.")
@charge_option
@click.option("--wait/--no-wait", "waits", default=True, show_default=True)
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@timeout_option
def start_command(
    session: str,
    rescue: bool,
    charge_to: str | None,
    waits: bool,
    opens: bool,
    timeout: float | None,
) -> None:
    """Start a session again that has stopped or failed."""
    found = client().sessions.get(session).start(rescue=rescue, charge_to=charge_to)
    if waits or opens:
        wait(found, "running", timeout)
    click.echo(f"“{safe(found.name)}” is {found.status}.", err=True)
    if opens:
        browse(found, "lab", only_print=False)


@click.command("delete")
@click.argument("sessions", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete_command(sessions: tuple[str, ...], yes: bool) -> None:
    """Delete sessions. Their homes and volumes stay."""
    asked = client().sessions
    found = [asked.get(each) for each in sessions]
    if not yes and sys.stdin.isatty():
        names = ", ".join(f"“{safe(each.name)}”" for each in found)
        click.confirm(f"Delete {names}?", abort=True)
    for each in found:
        each.delete()
        click.echo(f"Deleted “{safe(each.name)}”.", err=True)
