"""Why a tool failed, by what it said."""

import pytest

from environments.builder.errors import CHANNEL, INDEX, PackageSource, explain

DNS = "client error (Connect)\ndns error\nfailed to lookup address information: Name or service"
FETCHING = "Failed to fetch: https://ada:secret@pip.example/simple/x/"
UNTRUSTED = "a certificate that is not trusted (see SUBMARINE_BUILD_CA_CERTIFICATES)"
CHECKS = {
    INDEX: "An operator can check the index setting (SUBMARINE_BUILD_INDEXES).",
    CHANNEL: "An operator can check the channel setting (SUBMARINE_ENVIRONMENTS_CHANNELS).",
}


@pytest.mark.parametrize(
    ("said", "source", "message"),
    [
        (
            f"{FETCHING}\n{DNS}",
            INDEX,
            "The package index at pip.example could not be reached (DNS lookup failed).",
        ),
        (
            f"error sending request for url (https://conda.example:8443/x/noarch/r.json)\n{DNS}",
            CHANNEL,
            "The conda channel at conda.example:8443 could not be reached (DNS lookup failed).",
        ),
        (
            f"{FETCHING}\nHTTP status server error (503 Service Unavailable)",
            INDEX,
            "The package index at pip.example answered with status 503.",
        ),
        (
            f"{FETCHING}\nHTTP status client error (401 Unauthorized)",
            INDEX,
            "The package index at pip.example asks for other credentials (401).",
        ),
        (
            f"{FETCHING}\ninvalid peer certificate: UnknownIssuer",
            INDEX,
            f"The package index at pip.example has {UNTRUSTED}.",
        ),
        (
            "operation timed out",
            CHANNEL,
            "The conda channel could not be reached (it did not answer in time).",
        ),
    ],
)
def test_what_could_not_be_reached_is_told_with_its_setting(
    said: str, source: PackageSource, message: str
) -> None:
    failure = explain("The installation", said.splitlines(), 1, source=source)
    assert (failure.code, failure.message) == ("index_unavailable", f"{message} {CHECKS[source]}")


def test_of_a_url_in_a_requirement_the_url_is_told() -> None:
    said = ["Failed to download `t @ https://files.example/t.whl`", *DNS.splitlines()]
    assert explain("The installation", said, 1).message == (
        "The host files.example of a package's URL could not be reached (DNS lookup failed). "
        "Check the URL in the requirement."
    )


def test_a_proxy_is_named_beside_the_setting() -> None:
    said = ["Failed to fetch: https://pip.example/simple/x/", *DNS.splitlines()]
    failure = explain("The installation", said, 1, proxy="proxy.example:3128")
    assert failure.message == (
        "The package index at pip.example could not be reached (DNS lookup failed). An operator "
        "can check the index setting (SUBMARINE_BUILD_INDEXES) and the proxy proxy.example:3128."
    )
