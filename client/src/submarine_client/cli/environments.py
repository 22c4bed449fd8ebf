"""subnb env, profile."""

from __future__ import annotations

import click

from submarine_client.cli.app import client
from submarine_client.cli.output import cpus, mib, output_option, safe, show_list, show_one
from submarine_client.client import Client
from submarine_client.environments import UNFINISHED
from submarine_client.models import Environment, Version

follow_option = click.option(
    "--follow", "follows", is_flag=True, help="Follow what is built for it, to the end."
)


@click.group("profile")
def profile_command() -> None:
    """The sizes you may choose."""


@profile_command.command("list")
@output_option
def list_profiles(output: str) -> None:
    """List the sizes you may choose."""
    show_list(
        client().profiles.list(),
        output,
        {
            "NAME": lambda profile: profile.name,
            "CPU": lambda profile: cpus(profile.cpu_milli),
            "MEMORY": lambda profile: mib(profile.memory_mib),
            "GPU": lambda profile: profile.gpus or "",
            "ABOUT": lambda profile: profile.description or profile.display_name,
        },
        name=lambda profile: profile.name,
        empty="You are offered no sizes.",
    )


@click.group("env")
def env_command() -> None:
    """Environments: what sessions run."""


@env_command.command("list")
@click.argument("words", nargs=-1)
@output_option
def list_environments(words: tuple[str, ...], output: str) -> None:
    """List the environments you may choose; with WORDS those that have them."""
    show_list(
        client().environments.list(" ".join(words)),
        output,
        {
            "NAME": lambda found: found.name,
            "VERSION": lambda found: found.newest.number,
            "OWNER": lambda found: found.owner or "",
            "ABOUT": lambda found: found.description or found.display_name,
            "IMAGE": lambda found: found.image,
        },
        name=lambda found: found.name,
        empty="There are no such environments.",
    )


@env_command.command("show")
@click.argument("name")
@output_option
def show_environment(name: str, output: str) -> None:
    """Show an environment, with its newest version."""
    _show(client().environments.get(name), output)


@env_command.command("create")
@click.argument("name")
@click.option(
    "-f",
    "--file",
    type=click.Path(exists=True, dir_okay=False),
    help="An environment.yml, requirements.txt or pyproject.toml.",
)
@click.option("--image", help="Without one: the first that is offered.")
@click.option("--description", default="")
@follow_option
@output_option
def create_environment(
    name: str,
    file: str | None,
    image: str | None,
    description: str,
    follows: bool,
    output: str,
) -> None:
    """Make an environment. What it needs is built before its first start."""
    service = client()
    found = service.environments.create(name, file=file, description=description, image=image or "")
    if follows:
        _follow_all(service, found.newest, told=True)
        found = service.environments.get(name)
    _show(found, output)


@env_command.command("update")
@click.argument("name")
@click.option(
    "-f",
    "--file",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="An environment.yml, requirements.txt or pyproject.toml.",
)
@click.option("--note", default="", help="What is new.")
@follow_option
def update_environment(name: str, file: str, note: str, follows: bool) -> None:
    """Make the next version of an environment of yours."""
    service = client()
    version = service.environments.add_version(name, file=file, note=note)
    click.echo(f"“{safe(name)}” has a version {version.number}.", err=True)
    if follows:
        _follow_all(service, version, told=True)


@env_command.command("build")
@click.argument("name")
@click.option("--version", "number", type=int, help="The newest if not given.")
@click.option("--retry", is_flag=True, help="Try again what has failed.")
def build_environment(name: str, number: int | None, retry: bool) -> None:
    """Follow what is built for an environment."""
    service = client()
    version = (
        service.environments.get(name).newest
        if number is None
        else service.environments.version(name, number)
    )
    for build in version.builds:
        if retry and build.state == "failed":
            service.environments.retry_build(build.digest)
    _follow_all(service, version)


def _follow_all(service: Client, version: Version, *, told: bool = False) -> None:
    """Print the logs of all that is built for it. Broken off, they are built on."""
    if not version.builds:
        click.echo("Nothing is built for it yet: that begins with its first start.", err=True)
    for build in version.builds:
        _follow(service, build.digest, build.kernel, told=told)


def _follow(service: Client, digest: str, kernel: str, *, told: bool) -> None:
    for line in service.environments.follow_build(digest):
        # Where something else is the result, it is told beside it.
        click.echo(line, err=told)
    built = service.environments.build(digest)
    if built.state not in UNFINISHED:
        click.echo(f"The kernel “{safe(kernel)}” is {built.state}.", err=True)


@env_command.command("delete")
@click.argument("name")
def delete_environment(name: str) -> None:
    """Delete an environment of yours that no session has."""
    client().environments.delete(name)
    click.echo(f"Deleted “{safe(name)}”.", err=True)


def _show(found: Environment, output: str) -> None:
    newest = found.newest
    show_one(
        found,
        output,
        {
            "Name": found.name,
            "Title": found.display_name,
            "About": found.description,
            "Owner": found.owner,
            "Groups": found.groups,
            "Deprecated": (found.deprecation or "yes") if found.deprecated else None,
            "In its place": found.successor,
            "Version": newest.number,
            "Image": newest.image,
            "Needs a GPU": newest.needs_gpu or None,
            "Kernels": _kernels(newest),
        },
        name=found.name,
    )


def _kernels(version: Version) -> list[str]:
    states = {build.kernel: build.state for build in version.builds}
    return [f"{each.name} ({states.get(each.name, 'not built yet')})" for each in version.kernels]
