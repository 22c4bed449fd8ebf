"""subnb volume."""

from __future__ import annotations

import re
import sys

import click

from submarine_client.cli.app import client
from submarine_client.cli.output import mib, output_option, safe, show_list, show_one
from submarine_client.models import Volume

_UNITS = {"": 1, "m": 1, "g": 1024, "t": 1024**2}


def size(text: str) -> int:
    """A size in MiB."""
    found = re.fullmatch(r"([0-9]+) *(?:([mgt])i?b?)?", text.strip().lower())
    if not found:
        raise click.BadParameter(f"{text} is no size: say 500Mi or 20Gi.")
    return int(found[1]) * _UNITS[found[2] or ""]


@click.group("volume")
def volume_command() -> None:
    """Volumes: storage that outlives sessions."""


@volume_command.command("list")
@click.option("--trash", is_flag=True, help="Those in the trash.")
@output_option
def list_volumes(trash: bool, output: str) -> None:
    """List your volumes."""
    show_list(
        client().volumes.list(state="trash" if trash else "live"),
        output,
        {
            "NAME": lambda volume: volume.name,
            "KIND": lambda volume: volume.kind,
            "STATE": lambda volume: volume.state,
            "SIZE": lambda volume: mib(volume.size_mib),
            "USED": lambda volume: mib(volume.used_mib),
            "SESSIONS": lambda volume: [each.session for each in volume.attachments],
            "ID": lambda volume: volume.id,
        },
        name=lambda volume: volume.id,
        empty="There are none.",
    )


@volume_command.command("classes")
@output_option
def list_classes(output: str) -> None:
    """List the kinds of storage that you may choose."""
    show_list(
        client().volumes.classes(),
        output,
        {
            "NAME": lambda each: each.name,
            "LARGEST": lambda each: mib(each.largest_mib),
            "GROWS": lambda each: each.growable,
            "ABOUT": lambda each: each.description or each.display_name,
        },
        name=lambda each: each.name,
        empty="You are offered none.",
    )


@volume_command.command("show")
@click.argument("volume")
@output_option
def show_volume(volume: str, output: str) -> None:
    """Show a volume, by name or id."""
    _show(client().volumes.get(volume), output)


@volume_command.command("create")
@click.argument("name")
@click.option("--size", "size_mib", type=size, required=True, help="Such as 20Gi.")
@click.option("--class", "volume_class", required=True, help="See `subnb volume classes`.")
@output_option
def create_volume(name: str, size_mib: int, volume_class: str, output: str) -> None:
    """Make a volume."""
    _show(client().volumes.create(name, volume_class=volume_class, size_mib=size_mib), output)


@volume_command.command("rename")
@click.argument("volume")
@click.argument("name")
def rename_volume(volume: str, name: str) -> None:
    """Rename a volume."""
    volumes = client().volumes
    volumes.update(volumes.get(volume).id, name=name)
    click.echo(f"It is “{safe(name)}” now.", err=True)


@volume_command.command("grow")
@click.argument("volume")
@click.argument("size_mib", metavar="SIZE", type=size)
def grow_volume(volume: str, size_mib: int) -> None:
    """Have a volume grow to a size such as 20Gi."""
    volumes = client().volumes
    volumes.update(volumes.get(volume).id, size_mib=size_mib)
    click.echo(f"It grows to {mib(size_mib)}.", err=True)


@volume_command.command("delete")
@click.argument("volume")
def delete_volume(volume: str) -> None:
    """Put a volume into the trash."""
    volumes = client().volumes
    volumes.delete(volumes.get(volume).id)
    click.echo("It is in the trash: `subnb volume restore` brings it back.", err=True)


@volume_command.command("restore")
@click.argument("volume")
@click.option("--name", default="", help="Another name, where its own is taken.")
def restore_volume(volume: str, name: str) -> None:
    """Bring a volume back from the trash."""
    volumes = client().volumes
    back = volumes.restore(volumes.get(volume).id, name=name)
    click.echo(f"“{safe(back.name)}” is back.", err=True)


@volume_command.command("remove")
@click.argument("volume")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def remove_volume(volume: str, yes: bool) -> None:
    """Remove a volume that is in the trash, with what it holds, for good."""
    volumes = client().volumes
    found = volumes.get(volume)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("What it holds will be gone: say --yes.")
        click.confirm(f"Remove “{safe(found.name)}” and all that it holds?", abort=True)
    volumes.remove(found.id)
    click.echo(f"“{safe(found.name)}” is being removed.", err=True)


@volume_command.command("retry")
@click.argument("volume")
def retry_volume(volume: str) -> None:
    """Try again to make a volume that failed."""
    volumes = client().volumes
    again = volumes.retry(volumes.get(volume).id)
    click.echo(f"“{safe(again.name)}” is {again.state}.", err=True)


def _show(volume: Volume, output: str) -> None:
    show_one(
        volume,
        output,
        {
            "Name": volume.name,
            "Id": volume.id,
            "State": volume.state,
            "Why": volume.reason,
            "Kind": volume.kind,
            "Class": volume.volume_class,
            "Size": mib(volume.size_mib),
            "Grows to": mib(volume.wanted_mib),
            "Used": mib(volume.used_mib),
            "Sessions": [
                f"{each.session} at {each.path or 'its home'}" for each in volume.attachments
            ],
            "Created": volume.created_at,
            "In the trash": volume.trashed_at,
            "Removed": volume.removed_after,
        },
        name=volume.id,
    )
