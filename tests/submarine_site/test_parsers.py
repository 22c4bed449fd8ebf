"""Everything that reads what outsiders send: its work grows no faster than its input, and what it
does not take it refuses in its own words.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation
from django.http import QueryDict, parse_cookie
from django.http.multipartparser import MultiPartParserError
from django.test import RequestFactory
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import APIException
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts import ssh_keys
from accounts.models import GitCredentialKind
from accounts.vault import clean_host
from audit.filters import AuditFilter
from audit.models import AuditEntry
from environments.files import read_file, read_lines
from environments.packages import Rules, conda_spec, kernel_name, pip_spec
from notebooks.backends.contract import CodeSource
from notebooks.backends.fetcher import urls
from notebooks.code_sources import checked, checked_path
from notebooks.gateway.activity import is_act
from notebooks.gateway.addresses import leaves
from notebooks.launch_links import setup_of
from quotas import amounts
from submarine_site.core.cookies import PlainCookies
from submarine_site.core.errors import DomainError
from submarine_site.core.etags import refuse_changed
from submarine_site.core.http import safe_path
from submarine_site.core.image_references import is_image_reference
from submarine_site.core.numbers import number_in
from submarine_site.core.pagination import Place
from submarine_site.core.parsers import BoundedJSONParser
from submarine_site.core.text import clean_name
from submarine_site.core.variables import clean_value, clean_variable
from submarine_v1.parsers import TextJSONParser, YamlParser
from submarine_v1.paths import PathCredentials
from submarine_v1.sizes import read_wanted
from tests.scaling import assert_linear

RULES = Rules(channels=("conda-forge",), allow_urls=True)

REFUSED = (DomainError, APIException, SuspiciousOperation, MultiPartParserError, urls.BadUrl)


def body(kind: str, read: Callable[[Any], object]) -> Callable[[str], object]:
    return lambda text: read(
        RequestFactory().generic("POST", "/", text.encode("utf-8", "replace"), content_type=kind)
    )


def parsed_by(parser: type[Any], kind: str) -> Callable[[str], object]:
    return body(
        kind, lambda request: parser().parse(None, kind, {"request": request, "encoding": "utf-8"})
    )


def file(name: str) -> Callable[[str], object]:
    return lambda text: read_file(name, text.encode("utf-8", "replace"), RULES)


def header(name: str, read: Callable[[Any], object]) -> Callable[[str], object]:
    return lambda text: read(RequestFactory().get("/", headers={name: text}))


def negotiate(request: Any) -> object:
    asked = Request(request)
    return DefaultContentNegotiation().select_renderer(asked, [JSONRenderer()])


def passwords(text: str) -> object:
    """Where the credentials are told apart, before anybody is looked up."""

    class Basic(BasicAuthentication):
        def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> Any:
            return userid, password

    shown = b64encode(text.encode("utf-8", "replace")).decode()
    request = RequestFactory().get("/", headers={"Authorization": f"Basic {shown}"})
    return Basic().authenticate(Request(request))


def path(text: str) -> object:
    async def nothing(*_: object) -> None:
        pass

    scope = {"type": "http", "path": f"/u/{text}", "raw_path": b"", "headers": []}
    return asyncio.run(PathCredentials(nothing)(scope, nothing, nothing))  # type: ignore[arg-type]


def cookies(text: str) -> object:
    read = None

    async def behind(scope: Any, *_: object) -> None:
        nonlocal read
        read = parse_cookie(scope["headers"][0][1].decode("latin1"))

    shown = text.encode("latin1", "replace")
    scope = {"type": "http", "headers": [(b"cookie", shown)]}
    asyncio.run(PlainCookies(behind)(scope, behind, behind))  # type: ignore[arg-type]
    return read


def cursor(text: str) -> object:
    try:
        return Place.from_cursor(text)
    except (ValueError, TypeError):
        return None


def entries(text: str) -> object:
    query = QueryDict(mutable=True)
    query.update({"since": text, "actor": text, "kind": text})
    return AuditFilter(query, AuditEntry.objects.none()).is_valid()


def wanted(field: str) -> Callable[[str], object]:
    nothing = dict.fromkeys(("resources", "cpu", "memory", "gpu", "profile"), "")
    return lambda text: read_wanted({**nothing, field: text}, [])


FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
PART = '--b\r\nContent-Disposition: form-data; name="a"'

# Each with what texts begin with there, so that they are read on.
PARSERS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "YAML": (parsed_by(YamlParser, "application/yaml"), ("", "a: ", "a: 1", '"', "|\n ", "- ")),
    "JSON as text": (parsed_by(TextJSONParser, "application/json"), ("", '{"a": ', "1", '"', "[")),
    "JSON": (parsed_by(BoundedJSONParser, "application/json"), ("", '{"a": ', "1", '"', "[")),
    "form": (body(FORM, lambda request: request.POST), ("", "a=")),
    "multipart": (
        body(MULTIPART, lambda request: request.POST),
        ("", PART, f"{PART}\r\n\r\n", f'{PART}; filename="', "--b\r\n"),
    ),
    "query": (QueryDict, ("", "a=")),
    "cookies": (cookies, ("", 'a="', 'messages="')),
    "Accept": (header("Accept", negotiate), ("", "application/json;", "a/b")),
    "If-Match": (lambda text: refuse_changed("record", '"1"', text), ("", '"1", ', 'W/"')),
    "Basic": (passwords, ("", "ada:")),
    "path with a credential": (path, ("", "a", "a:1")),
    "path of a session": (leaves, ("", "a/", "%2e")),
    "message of a kernel": (
        lambda text: is_act("api/kernels/1/channels", text.encode()),
        ("", '{"msg_type"'),
    ),
    "way back": (lambda text: safe_path(text, default=""), ("/", "")),
    "cursor": (cursor, ("", "YT0x")),
    "filters": (entries, ("", "2026-01-31T12:00:00.", "2026-01-31")),
    "name": (clean_name, ("", "a")),
    "variable": (lambda text: clean_variable(text, field="name"), ("", "A")),
    "value": (lambda text: clean_value(text, field="value"), ("",)),
    "number of a notebook": (lambda text: number_in(text, "notebook"), ("notebook_1_", "")),
    "image": (is_image_reference, ("", "a/b:")),
    "host of a credential": (
        lambda text: clean_host(text, GitCredentialKind.TOKEN),
        ("", "a.b", "git.example.com:", "["),
    ),
    "SSH key": (
        lambda text: ssh_keys.read(text, field="secret"),
        ("", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\n"),
    ),
    "address of a repository": (urls.parse, ("https://", "a@b:", "https://[", "")),
    "branch": (
        lambda text: checked([CodeSource(url="https://a.example/b", ref=text)]),
        ("", "refs/"),
    ),
    "folder": (lambda text: checked_path(text, "folder"), ("", "a/")),
    "link of a launch": (
        lambda text: setup_of(QueryDict(f"git=https://a.example/b&path={text}")),
        ("",),
    ),
    "kernel's name": (lambda text: bad_spec(kernel_name, text), ("", "a")),
    "pip packages": (lambda text: read_lines(text, "pip", pip_spec, RULES), ("", "a", "a[", "a; ")),
    "conda packages": (
        lambda text: read_lines(text, "conda", conda_spec, RULES),
        ("", "a", "a=1", "a["),
    ),
    "environment.yml": (file("environment.yml"), ("", "dependencies:\n- a", "name: ")),
    "requirements.txt": (file("requirements.txt"), ("", "a==", "a \\\n", "a @ https://")),
    "pyproject.toml": (
        file("pyproject.toml"),
        ("", "a = ", 'a = "', "a = [", "a."),
    ),
    "memory": (lambda text: amounts.parse(amounts.MEMORY, text), ("", "1", "1.", "1 ")),
    "cores": (lambda text: amounts.parse(amounts.CPU, text), ("", "1", "1.")),
    "memory of v1": (wanted("memory"), ("", "1", "1.")),
    "GPUs of v1": (wanted("gpu"), ("", "1", "1.")),
    "resources of v1": (wanted("resources"), ("", "cpu=", "cpu=1,")),
}

PUMPS = (
    *"a0.-:/%#*=[({\"' \t\n\0",
    *(":1", "a.", "a,", "a=", "a&", "a;", "a ", "- ", "{a:", '{"a":', '"a",'),
    *("..", "::", ": ", "../", "%41", "%25", "\\u0041", '\\"', "\\\n"),
    *("\n  x", "\r\n--b", "a;q=1,", "é", "\u0301\u0316", "\U0001f600", "\uff21", "1_"),
)


def bad_spec(read: Callable[[str], object], text: str) -> object:
    try:
        return read(text)
    except ValueError:
        return None


@pytest.mark.parametrize("parser", PARSERS)
def test_work_grows_no_faster_than_what_is_read(parser: str) -> None:
    read, beginnings = PARSERS[parser]

    def parse(text: str) -> None:
        with suppress(*REFUSED):
            read(text)

    for beginning, pump, end in product(beginnings, PUMPS, ("", "!")):

        def shape(size: int, parts: tuple[str, str, str] = (beginning, pump, end)) -> str:
            beginning, pump, end = parts
            return beginning + pump * (size // len(pump)) + end

        assert_linear(parse, shape)
