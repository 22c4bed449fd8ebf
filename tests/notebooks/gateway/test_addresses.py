from http import HTTPStatus
from urllib.parse import unquote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notebooks.gateway.addresses import Addresses, leaves
from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.refusals import Refusal

A = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
B = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
PATHS = Addresses(
    GatewayConfig(
        pages_url="https://app.test", gateway_url="https://nb.test:8443", subdomains=False
    )
)
HOSTS = Addresses(
    GatewayConfig(pages_url="https://app.test", gateway_url="https://nb.test", subdomains=True)
)


def refused(addresses: Addresses, host: str, target: str) -> HTTPStatus:
    with pytest.raises(Refusal) as refusal:
        addresses.locate(host, target)
    return refusal.value.status


def test_path_names_the_session_and_the_place_in_it() -> None:
    place = PATHS.locate("nb.test:8443", f"/session/{A}/api/contents/a%2Fb?x=%20")
    assert place.session_id == A
    assert place.url == f"https://nb.test:8443/session/{A}/"
    assert place.within == "api/contents/a%2Fb?x=%20"


@pytest.mark.parametrize("label", [str(A), A.hex])
def test_host_names_the_session(label: str) -> None:
    place = HOSTS.locate(f"{label}.nb.test", "/lab?reset")
    assert (place.session_id, place.base, place.within) == (A, "/", "lab?reset")
    assert place.origin == f"https://{label}.nb.test"


def test_host_is_compared_without_regard_to_case() -> None:
    assert HOSTS.locate(f"{A}.NB.test".upper(), "/").session_id == A


@pytest.mark.parametrize(
    "host", ["", "nb.test", "nb.test:1", "evil.test:8443", "nb.test:8443.evil", "x.nb.test:8443"]
)
def test_other_hosts_are_misdirected(host: str) -> None:
    assert refused(PATHS, host, f"/session/{A}/lab") is HTTPStatus.MISDIRECTED_REQUEST


@pytest.mark.parametrize(
    "host", ["nb.test", f"{A}.evil.test", f"{A}.nb.test.evil", f"{A}.nb.test:1"]
)
def test_other_parents_are_misdirected(host: str) -> None:
    assert refused(HOSTS, host, "/lab") is HTTPStatus.MISDIRECTED_REQUEST


@pytest.mark.parametrize("label", ["www", f"a.{A}", f"{A}"[:-1], "\uff53" * 32])
def test_hosts_that_are_not_an_id_are_not_found(label: str) -> None:
    status = refused(HOSTS, f"{label}.nb.test", "/lab")
    assert status in {HTTPStatus.NOT_FOUND, HTTPStatus.MISDIRECTED_REQUEST}


def test_session_without_a_slash_is_sent_to_the_slash() -> None:
    with pytest.raises(Refusal) as refusal:
        PATHS.locate("nb.test:8443", f"/session/{A}?x")
    assert refusal.value.status is HTTPStatus.PERMANENT_REDIRECT
    assert refusal.value.headers == {"Location": f"https://nb.test:8443/session/{A}/"}


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/session/",
        "/session/x/lab",
        f"/session/{A}x/lab",
        f"/session/{str(A).upper()}/lab",
        f"/session/{A.hex}/lab",
        f"/session//{A}/lab",
        f"//session/{A}/lab",
        f"/session/../session/{A}/lab",
        f"/Session/{A}/lab",
        f"/session%2F{A}/lab",
        f"/session/{A}%2Flab",
        f"/session/{A}\\lab",
    ],
)
def test_other_paths_are_not_found(target: str) -> None:
    assert refused(PATHS, "nb.test:8443", target) is HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    "target",
    [
        f"http://nb.test:8443/session/{A}/lab",
        f"https://evil.test/session/{A}/lab",
        "*",
        "nb.test:443",
        "",
        f"/session/{A}/lab#fragment",
    ],
)
def test_targets_that_are_not_paths_are_refused(target: str) -> None:
    assert refused(PATHS, "nb.test:8443", target) is HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    "within",
    [
        f"../{B}/lab",
        f"lab/../../{B}/lab",
        f"%2e%2e/{B}/lab",
        f"%2E%2e%2f{B}/lab",
        f"..%2f{B}/lab",
        f"..\\{B}\\lab",
        f"..%5c{B}/lab",
        f"%252e%252e%252f{B}/lab",
        f".//../{B}/lab",
        f"a//../../{B}/lab",
        "..",
        "..?x",
    ],
)
def test_paths_that_lead_out_of_the_session_are_refused(within: str) -> None:
    assert refused(PATHS, "nb.test:8443", f"/session/{A}/{within}") is HTTPStatus.BAD_REQUEST
    assert refused(HOSTS, f"{A}.nb.test", f"/{within}") is HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("target", ["//evil.test/", "//", "///lab"])
def test_second_slash_is_refused_where_it_could_name_a_host(target: str) -> None:
    assert refused(HOSTS, f"{A}.nb.test", target) is HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    "within",
    ["a%2Fb", "a/../b", "a..b", "...", "a/./b", "100%25", "a%5Cb", "é", "%C3%A9", "x?next=../../y"],
)
def test_paths_that_stay_inside_pass_unchanged(within: str) -> None:
    assert PATHS.locate("nb.test:8443", f"/session/{A}/{within}").within == within


@given(st.lists(st.sampled_from(["..", ".", "a", "/", "\\", "%2e", "%2f", "%5C", "%25"])))
def test_what_stays_inside_resolves_inside(pieces: list[str]) -> None:
    within = "".join(pieces)
    if leaves(within):
        return
    for text in (within, unquote(within), unquote(unquote(within))):
        resolved: list[str] = []
        for segment in filter(None, text.replace("\\", "/").split("/")):
            if segment == "..":
                resolved.pop()  # never from an empty list
            elif segment != ".":
                resolved.append(segment)
