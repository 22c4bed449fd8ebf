"""The system checks of settings."""

import pytest
from django.core.checks import Error, run_checks

from notebooks.checks import (
    code_settings_can_be_used,
    gateway_has_its_own_host,
    kubernetes_settings_can_be_used,
    local_backend_is_accepted,
    pods_can_reach_the_service,
)


@pytest.mark.parametrize(
    ("backend", "debug", "accepted", "ids"),
    [
        ("local", False, False, ["notebooks.E001"]),
        ("local", False, True, []),
        ("local", True, False, []),
        ("kubernetes", False, False, []),
    ],
)
def test_the_local_backend_has_to_be_accepted(
    settings, *, backend: str, debug: bool, accepted: bool, ids: list[str]
) -> None:
    settings.BACKEND, settings.DEBUG = backend, debug
    settings.LOCAL_BACKEND_ACCEPTED = accepted
    found = local_backend_is_accepted()
    assert [each.id for each in found] == ids
    assert all(isinstance(each, Error) for each in found)


def test_the_check_is_made_with_all_the_others(settings) -> None:
    settings.BACKEND, settings.LOCAL_BACKEND_ACCEPTED = "local", False
    assert "notebooks.E001" in [each.id for each in run_checks()]


@pytest.mark.parametrize(
    ("gateway", "ids"),
    [
        ("https://nb.example.com", []),
        ("https://hub.example.com:8443", ["notebooks.E002"]),
        ("http://HUB.example.com/", ["notebooks.E002"]),
    ],
)
def test_the_gateway_has_a_host_name_of_its_own(settings, gateway: str, ids: list[str]) -> None:
    settings.PAGES_URL, settings.GATEWAY_URL = "https://hub.example.com", gateway
    assert [each.id for each in gateway_has_its_own_host()] == ids
    assert set(ids) <= {each.id for each in run_checks()}


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        ("local", []),
        (
            "kubernetes",
            [
                (
                    "notebooks.E003",
                    (
                        "SUBMARINE_KUBERNETES_POD_PATCH: hostNetwork: There is no such field; "
                        "there are annotations, env, labels, sidecars, volumeMounts, volumes."
                    ),
                )
            ],
        ),
    ],
)
def test_kubernetes_is_refused_with_settings_that_cannot_be_used(
    settings, backend: str, found: list[tuple[str, str]]
) -> None:
    settings.BACKEND, settings.LOCAL_BACKEND_ACCEPTED = backend, True
    settings.KUBERNETES = settings.KUBERNETES | {"pod_patch": '{"hostNetwork": true}'}
    assert [(each.id, each.msg) for each in kubernetes_settings_can_be_used()] == found
    assert {code for code, _ in found} <= {each.id for each in run_checks()}


def test_kubernetes_needs_no_settings(settings) -> None:
    settings.BACKEND = "kubernetes"
    assert kubernetes_settings_can_be_used() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_networks", ("10.0.0.0/8", "10.0.0.1/8")),
        ("blocked_networks", ("intranet",)),
        ("seconds", 0),
        ("mib", -1),
        ("files", 0),
    ],
)
def test_rules_for_code_that_cannot_hold_are_refused(settings, *, name: str, value: object) -> None:
    settings.CODE = settings.CODE | {name: value}
    [problem] = code_settings_can_be_used()
    assert problem.id == "notebooks.E004"
    assert str(problem.msg).startswith(f"SUBMARINE_CODE_{name.upper()}: ")


def test_rules_for_code_that_can_hold_are_not(settings) -> None:
    settings.CODE = settings.CODE | {"allowed_networks": ("10.0.0.0/8", "fd00::/8")}
    assert code_settings_can_be_used() == []


@pytest.mark.parametrize(
    ("backend", "url", "ids"),
    [
        ("kubernetes", "http://127.0.0.1:8000", ["notebooks.W001"]),
        ("kubernetes", "http://localhost", ["notebooks.W001"]),
        ("kubernetes", "http://[::1]:8000", ["notebooks.W001"]),
        ("kubernetes", "http://web.submarine.svc:8000", []),
        ("kubernetes", "http://192.0.2.1:8000", []),
        ("kubernetes", "", []),
        ("local", "http://127.0.0.1:8000", []),
    ],
)
def test_pods_have_to_reach_the_service(settings, backend: str, url: str, ids: list[str]) -> None:
    settings.BACKEND, settings.SESSIONS_API_URL = backend, url
    found = pods_can_reach_the_service()
    assert [each.id for each in found] == ids
    assert not any(each.is_serious() for each in found)
    assert set(ids) <= {each.id for each in run_checks()}
