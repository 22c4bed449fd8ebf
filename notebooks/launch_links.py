"""Links that fill in the form for a new session. Nothing is launched before its user says so."""

from urllib.parse import urlencode

from django.conf import settings
from django.http import QueryDict
from django.templatetags.static import static
from django.urls import reverse

from notebooks.backends.contract import CodeSource
from notebooks.backends.fetcher.urls import BadUrl, parse
from notebooks.code_sources import default_folder
from notebooks.models import NotebookSession
from notebooks.setup import NOTHING, Setup


def setup_of(query: QueryDict) -> Setup:
    """What a link asks for by `git`, `ref` and `path`, which is within the repository: right or
    wrong, it is shown before it is used.
    """
    url, path = query.get("git", ""), query.get("path", "")
    if not url:
        return Setup(opens=path) if path else NOTHING
    try:
        folder = default_folder(parse(url))
    except BadUrl:
        folder = ""
    opens = f"{folder}/{path}" if folder and path else path
    return Setup(code=(CodeSource(url=url, ref=query.get("ref", ""), folder=folder),), opens=opens)


def hosts(query: QueryDict) -> tuple[str, ...]:
    """Where a link has code come from."""
    try:
        return (parse(query.get("git", "")).host,)
    except BadUrl:
        return ()


def link_of(session: NotebookSession) -> str:
    """A link by which others launch the like: size, environment, the first of its repositories and
    the file that it opens. Nothing of it is secret.
    """
    setup = Setup.from_json(session.setup)
    asked = {"profile": session.profile.name, "environment": session.environment.name}
    opens = setup.opens
    if setup.code:
        first = setup.code[0]
        asked |= {"git": first.url} | ({"ref": first.ref} if first.ref else {})
        opens = opens.removeprefix(f"{first.folder}/")
    if opens:
        asked["path"] = opens
    return f"{settings.PAGES_URL}{reverse('session-new')}?{urlencode(asked)}"


def badge_of(session: NotebookSession) -> str:
    """The link as a picture, in Markdown."""
    picture = f"{settings.PAGES_URL}{static('launch.svg')}"
    return f"[![Launch in Submarine Notebooks]({picture})]({link_of(session)})"
