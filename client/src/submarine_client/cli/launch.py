"""subnb launch."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import click

from submarine_client.cli.app import client
from submarine_client.cli.output import cpus, mib, output_option, safe
from submarine_client.cli.progress import wait
from submarine_client.cli.sessions import browse, charge_option, show, timeout_option
from submarine_client.client import Client

FIELDS = (
    "name",
    "profile",
    "environment",
    "code",
    "opens",
    "variables",
    "secrets",
    "mounts",
    "charge_to",
)


@click.command("launch")
@click.option("-f", "--file", type=click.File(encoding="utf-8"), help="A YAML file; - is stdin.")
@click.option("--name")
@click.option("--profile", help="A size: see `subnb profile list`.")
@click.option("--env", "environment", help="An environment: see `subnb env list`.")
@click.option("--code", multiple=True, metavar="URL[@REF]", help="A git repository to fetch.")
@click.option("--opens", metavar="PATH", help="The file that the pages open.")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE")
@click.option("--secret", "secrets", multiple=True, metavar="NAME", help="One of your secrets.")
@click.option("--volume", "volumes", multiple=True, metavar="VOLUME:PATH[:ro]")
@charge_option
@click.option("--wait/--no-wait", "waits", default=True, show_default=True)
@click.option("--open", "is_opened", is_flag=True, help="Open it in a browser when it runs.")
@timeout_option
@output_option
def launch_command(
    file: TextIO | None,
    waits: bool,
    is_opened: bool,
    timeout: float | None,
    output: str,
    **flags: Any,
) -> None:
    """Start a new session and wait until it runs.

    What is not said by flags is taken of the file; on a terminal, size and environment are asked
    for.
    """
    service = client()
    chosen = _of_file(file) if file else {}
    chosen.update(_of_flags(flags))
    volumes: Any = flags["volumes"] or chosen.pop("volumes", ())
    chosen.pop("volumes", None)
    if volumes:
        chosen["mounts"] = [_mount(service, each) for each in volumes]
    _complete(service, chosen)
    session = service.sessions.create(**chosen)
    click.echo(f"“{safe(session.name)}” is asked for.", err=True)
    if waits or is_opened:
        wait(session, "running", timeout)
    show(session, output)
    if is_opened:
        path = f"lab/tree/{session.info.opens}" if session.info.opens else "lab"
        browse(session, path, only_print=False)


def _of_file(file: TextIO) -> dict[str, Any]:
    import yaml

    try:
        said = yaml.safe_load(file)
    except yaml.YAMLError as error:
        raise click.BadParameter(f"{file.name} is no YAML: {error}") from error
    if not isinstance(said, Mapping):
        raise click.BadParameter(f"{file.name} has no fields such as profile: small")
    unknown = sorted(str(key) for key in said if key not in {*FIELDS, "volumes"})
    if unknown:
        raise click.BadParameter(
            f"{file.name}: there is no field {', '.join(unknown)}. There are: "
            f"{', '.join((*FIELDS, 'volumes'))}."
        )
    chosen = dict(said)
    # As people write them: numbers and truths are text too.
    if isinstance(chosen.get("variables"), Mapping):
        chosen["variables"] = {str(key): _text(value) for key, value in chosen["variables"].items()}
    return chosen


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {
        name: flags[name]
        for name in ("name", "profile", "environment", "opens", "charge_to")
        if flags[name]
    }
    if flags["code"]:
        chosen["code"] = [_code(each) for each in flags["code"]]
    if flags["variables"]:
        chosen["variables"] = dict(_pair(each) for each in flags["variables"])
    if flags["secrets"]:
        chosen["secrets"] = list(flags["secrets"])
    return chosen


def _code(said: str) -> dict[str, str]:
    """`url@ref`, where the url may have an @ of its own, before its path."""
    url, at, ref = said.rpartition("@")
    has_path = "/" in url.partition("://")[2] if "://" in url else ":" in url
    if not at or ":" in ref or not has_path:
        return {"url": said}
    return {"url": url, "ref": ref}


def _pair(said: str) -> tuple[str, str]:
    name, equals, value = said.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{said} is not NAME=VALUE.", param_hint="--var")
    return name, value


def _mount(service: Client, said: object) -> dict[str, Any]:
    parts = str(said).split(":")
    if len(parts) not in (2, 3) or parts[2:] not in ([], ["ro"]):
        raise click.BadParameter(f"{said} is not VOLUME:PATH or VOLUME:PATH:ro.")
    volume = service.volumes.get(parts[0])
    return {"volume": volume.id, "path": parts[1], "read_only": parts[2:] == ["ro"]}


def _complete(service: Client, chosen: dict[str, Any]) -> None:
    """Ask for what is needed and was not said."""
    missing = [name for name in ("profile", "environment") if not chosen.get(name)]
    if not missing:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        flags = {"profile": "--profile", "environment": "--env"}
        raise click.UsageError(f"Say {' and '.join(flags[name] for name in missing)}.")
    if "profile" in missing:
        chosen["profile"] = _choose(
            "Sizes",
            [
                (each.name, f"{cpus(each.cpu_milli)} CPU, {mib(each.memory_mib)}")
                for each in service.profiles.list()
            ],
        )
    if "environment" in missing:
        chosen["environment"] = _choose(
            "Environments",
            [(each.name, each.description) for each in service.environments.list()],
        )


def _choose(title: str, offered: Sequence[tuple[str, str]]) -> str:
    if not offered:
        raise click.UsageError(f"{title}: you are offered none.")
    click.echo(f"{title}:", err=True)
    width = max(len(name) for name, _ in offered)
    for number, (name, about) in enumerate(offered, 1):
        click.echo(f"  {number}  {safe(name).ljust(width)}  {safe(about)}", err=True)
    answer = click.prompt("Which", type=click.IntRange(1, len(offered)), default=1, err=True)
    return offered[answer - 1][0]
