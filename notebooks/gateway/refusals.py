"""`Refusal`: why the gateway answers by itself instead of passing a request on."""

from dataclasses import dataclass, field
from http import HTTPStatus

from submarine_site.core.text import header_too_large as too_large_told


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What to do next, for a page."""

    url: str
    text: str


@dataclass(kw_only=True)
class Refusal(Exception):
    """Answered as JSON `{code, message}`, or as a page to a person who navigates.

    `refresh` is the number of seconds after which it is worth to look again.
    """

    status: HTTPStatus
    code: str
    title: str
    message: str
    link: Link | None = None
    refresh: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


def bad_request(message: str) -> Refusal:
    return Refusal(
        status=HTTPStatus.BAD_REQUEST,
        code="bad_request",
        title="This address is not valid",
        message=message,
    )


def header_too_large(most: int) -> Refusal:
    return Refusal(
        status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        code="header_too_large",
        title="The header of this request is too large",
        message=too_large_told(most),
    )


def not_found() -> Refusal:
    return Refusal(
        status=HTTPStatus.NOT_FOUND,
        code="not_found",
        title="There is nothing here",
        message="No session has this address. It may have been deleted.",
    )


def unavailable() -> Refusal:
    return Refusal(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        code="unavailable",
        title="Sessions cannot be reached right now",
        message="The gateway cannot check who may pass. Your sessions go on running.",
        refresh=5,
    )
