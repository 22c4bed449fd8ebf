"""What an installation says of its cluster, read from text."""

from dataclasses import fields

import pytest
from django.conf import settings

from notebooks.backends.kubernetes.config import InvalidSite, SiteConfig, read_site, variable
from volumes.contract import AccessMode


def test_what_is_not_given_has_its_default() -> None:
    assert read_site({"home_size": None}) == SiteConfig()


def test_settings_know_every_field() -> None:
    # What holds for code on every backend is a setting of its own.
    known = {field.name for field in fields(SiteConfig)} - {"code_rules"}
    assert settings.KUBERNETES.keys() == known
    assert set(settings.KUBERNETES.values()) == {None}


def test_each_value_is_read_as_what_it_is() -> None:
    given = {
        "installation": "blue",
        "namespace": "sessions",
        "home_size": " 500Mi ",
        "home_largest": "1Gi",
        "storage_class": "fast.example",
        "access_mode": "ReadWriteMany",
        "home_path": "/home/me",
        "user_id": "1001",
        "group_id": "1002",
        "image_pull_policy": "Always",
        "image_pull_secrets": "one, two.example,",
        "gateway_peers": '[{"ipBlock": {"cidr": "192.0.2.7/32"}}]',
        "blocked_networks": "10.0.0.0/8, fc00::/7",
        "stop_seconds": "5",
        "scheduler": "other",
        "pod_patch": '{"labels": {"a": "b"}}',
    }
    assert read_site(given) == SiteConfig(
        installation="blue",
        namespace="sessions",
        home_size="500Mi",
        home_largest="1Gi",
        storage_class="fast.example",
        access_mode="ReadWriteMany",
        home_path="/home/me",
        user_id=1001,
        group_id=1002,
        image_pull_policy="Always",
        image_pull_secrets=("one", "two.example"),
        gateway_peers=({"ipBlock": {"cidr": "192.0.2.7/32"}},),
        blocked_networks=("10.0.0.0/8", "fc00::/7"),
        stop_seconds=5,
        scheduler="other",
        pod_patch={"labels": {"a": "b"}},
    )


@pytest.mark.parametrize(
    "name",
    [
        "namespace",
        "home_size",
        "home_largest",
        "storage_class",
        "image_pull_secrets",
        "gateway_peers",
        "blocked_networks",
        "scheduler",
        "pod_patch",
    ],
)
def test_what_may_be_empty_is_read_from_an_empty_text(name: str) -> None:
    wanted = SiteConfig(home_size="") if name == "home_size" else SiteConfig()
    assert read_site({name: ""}) == wanted


def test_without_a_size_homes_are_not_kept() -> None:
    assert (SiteConfig().keeps_homes, SiteConfig(home_size="").keeps_homes) == (True, False)
    assert not read_site({"home_size": "0"}).keeps_homes


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("home_size", "10 GB", "This is not an amount such as 500m, 2 or 10Gi."),
        ("home_size", "0Gi", "This is not an amount such as 500m, 2 or 10Gi."),
        ("user_id", "0", "This is not a whole number from 1 to 2147483647."),
        ("user_id", "root", "This is not a whole number from 1 to 2147483647."),
        ("group_id", "", "This is not a whole number from 1 to 2147483647."),
        ("access_mode", "x", "This is none of ReadWriteOnce, ReadWriteMany, ReadWriteOncePod."),
        ("blocked_networks", "10.0.0.0", "This is not a network such as 10.0.0.0/8."),
        (
            "blocked_networks",
            "10.0.0.1/8",
            "This is not a network: 10.0.0.1/8 has host bits set.",
        ),
        (
            "blocked_networks",
            "10.0.0.0/8,::/0",
            "This is every address, which a policy cannot leave out.",
        ),
        ("gateway_peers", "[]", "This needs 1 or more entries."),
        (
            "gateway_peers",
            "[{}]",
            "[0]: This needs an ipBlock, or a podSelector, a namespaceSelector or both.",
        ),
        (
            "gateway_peers",
            '[{"ipBlock": {"cidr": "x"}}]',
            "[0].ipBlock.cidr: This is not a network such as 10.0.0.0/8.",
        ),
        (
            "pod_patch",
            "{",
            (
                "This is not JSON: Expecting property name enclosed in double quotes: "
                "line 1 column 2 (char 1)."
            ),
        ),
        ("pod_patch", "[]", "This is not an object."),
        (
            "pod_patch",
            '{"env": [{"name": "HOME", "value": ""}]}',
            "env[0].name: The service sets this one itself.",
        ),
    ],
)
def test_what_cannot_be_used_is_said_with_its_variable(name: str, value: str, problem: str) -> None:
    with pytest.raises(InvalidSite) as error:
        read_site({name: value})
    assert error.value.problems == [f"{variable(name)}: {problem}"]


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(InvalidSite) as error:
        read_site({"installation": "Blue", "user_id": "0"})
    named = [problem.partition(":")[0] for problem in error.value.problems]
    assert named == ["SUBMARINE_INSTALLATION", "SUBMARINE_KUBERNETES_USER_ID"]


@pytest.mark.parametrize(
    ("quantity", "mib"),
    [
        ("", 0),
        ("500m", 1),
        ("1", 1),
        ("1048576", 1),
        ("1048577", 2),
        ("100k", 1),
        ("2048Ki", 2),
        ("10M", 10),
        ("10Mi", 10),
        ("10G", 9537),
        ("10Gi", 10240),
        ("0.5Gi", 512),
        ("1T", 953675),
        ("1Ti", 1024**2),
        ("1P", 953674317),
        ("1Ei", 1024**4),
    ],
)
def test_sizes_are_told_in_mib(quantity: str, mib: int) -> None:
    assert SiteConfig(home_size=quantity).home_size_mib == mib


def test_homes_cannot_grow_unless_the_site_says_how_far() -> None:
    assert SiteConfig().home_largest_mib is None
    assert read_site({"home_largest": "20Gi"}).home_largest_mib == 20 * 1024
    with pytest.raises(InvalidSite) as error:
        read_site({"home_largest": "9Gi"})
    assert error.value.problems == [
        "SUBMARINE_KUBERNETES_HOME_LARGEST: This is less than what homes have."
    ]


@pytest.mark.parametrize(
    ("mode", "meaning"),
    [
        ("ReadWriteOnce", AccessMode.ONE_MACHINE),
        ("ReadWriteMany", AccessMode.MANY_MACHINES),
        ("ReadWriteOncePod", AccessMode.ONE_SESSION),
    ],
)
def test_who_may_have_a_home_is_told_in_our_words(mode: str, meaning: AccessMode) -> None:
    assert SiteConfig(access_mode=mode).home_access_mode is meaning
