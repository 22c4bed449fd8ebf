"""What users may write of the code that a session starts with."""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from django.conf import settings

from notebooks.backends.contract import CodeSource
from notebooks.backends.fetcher.addresses import Networks
from notebooks.backends.fetcher.request import Rules
from notebooks.backends.fetcher.urls import BadUrl, Remote, parse, refuse_page
from submarine_site.core.errors import InvalidInput
from submarine_site.core.networks import CLOUD_METADATA, NOT_OF_THE_INTERNET

MAX_SOURCES = 10
MAX_REF = 200
MAX_PATH = 200
MAX_DEPTH = 1_000_000

_PART = re.compile(r"[^\x00-\x1f\x7f/\\]{1,100}")
# git check-ref-format; `@{` and a lone `@` apart.
_NOT_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{")


@cache
def code_rules() -> Rules:
    """The site's."""
    rules = Rules(**settings.CODE)
    never = (*CLOUD_METADATA, *NOT_OF_THE_INTERNET)
    return replace(rules, blocked_networks=(*never, *rules.blocked_networks))


@cache
def _networks() -> Networks:
    rules = code_rules()
    return Networks.of(allowed=rules.allowed_networks, blocked=rules.blocked_networks)


def checked(sources: Iterable[CodeSource]) -> tuple[CodeSource, ...]:
    """Return them as they can be fetched, each with a folder. Raises `InvalidInput`."""
    listed = tuple(sources)
    if len(listed) > MAX_SOURCES:
        raise InvalidInput.field(
            "code", f"There are {len(listed)} repositories; {MAX_SOURCES} is the most."
        )
    clean = tuple(_checked(source, f"code.{n}") for n, source in enumerate(listed))
    for n, source in enumerate(clean):
        for other in clean[:n]:
            if overlap(source.folder, other.folder):
                raise InvalidInput.field(
                    f"code.{n}.folder",
                    f"“{source.folder}” and “{other.folder}” are in each other's way: each "
                    "repository needs a folder of its own.",
                )
    return clean


def checked_path(path: str, field: str) -> str:
    """Return a path below the home, without what leads elsewhere. Raises `InvalidInput`."""
    if not path:
        return ""
    parts = path.removeprefix("./").removesuffix("/").split("/")
    if len(path) > MAX_PATH or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidInput.field(
            field, f"A path has at most {MAX_PATH} characters, and names between its slashes."
        )
    if ".." in parts or "." in parts:
        raise InvalidInput.field(field, "A path leads down from the home, never up with “..”.")
    return "/".join(parts)


def _checked(source: CodeSource, field: str) -> CodeSource:
    url = source.url.strip()
    try:
        refuse_page(url)
        remote = parse(url)
    except BadUrl as bad:
        raise InvalidInput.field(f"{field}.url", str(bad)) from None
    if not _networks().allow_host(remote.host):
        raise InvalidInput.field(
            f"{field}.url", f"Code may not be fetched from {remote.host}: the site forbids it."
        )
    if not 0 <= source.depth <= MAX_DEPTH:
        raise InvalidInput.field(f"{field}.depth", f"A number from 0 (all) to {MAX_DEPTH}.")
    folder = checked_path(source.folder.strip() or default_folder(remote), f"{field}.folder")
    if any(part.startswith(".") for part in folder.split("/")):
        # .git, and the user's own .jupyter, .ssh, .local and .config.
        raise InvalidInput.field(
            f"{field}.folder", "No part of the folder's path may begin with a dot."
        )
    return replace(
        source,
        url=url,
        folder=folder,
        ref=_checked_ref(source.ref.strip(), f"{field}.ref"),
        sparse=checked_path(source.sparse.strip(), f"{field}.sparse"),
    )


def _checked_ref(ref: str, field: str) -> str:
    bad = (
        len(ref) > MAX_REF
        or not ref.isprintable()
        or _NOT_IN_REF.search(ref)
        or ref.startswith(("-", "/"))
        or ref.endswith(("/", "."))
        or ref == "@"
        or any(part.startswith(".") or part.endswith(".lock") for part in ref.split("/"))
    )
    if bad:
        raise InvalidInput.field(field, "This is not the name of a branch, tag or commit.")
    return ref


def default_folder(remote: Remote) -> str:
    """The folder that git would choose, as far as it will do."""
    name = remote.path.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git")
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).strip(".-") or "code"


def overlap(one: str, other: str) -> bool:
    """Whether these paths are the same, or one is within the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
