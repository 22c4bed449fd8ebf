"""What an installation says of its cluster, read from its settings and checked.

Known to the web processes too, which check settings at start-up: no Kubernetes client in here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from math import ceil
from typing import Any, TypeAlias

from notebooks.backends.fetcher.request import USUAL_RULES, Rules
from submarine_site.core.image_references import image_reference
from submarine_site.core.pod_shapes import (
    BLOCKED_NETWORK,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    FOLDER,
    PEERS,
    POD_PATCH,
    QUANTITY,
)
from submarine_site.core.shapes import Check, choice, flag, integer
from volumes.contract import AccessMode

GATEWAY_PODS = {
    "podSelector": {
        "matchLabels": {
            "app.kubernetes.io/name": "submarine-notebooks",
            "app.kubernetes.io/component": "gateway",
        }
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteConfig:
    """Where sessions run, and what holds for each of them.

    `namespace` empty: the one of the kubeconfig or of the service's own pod. `home_size` empty:
    a home goes with its pod. `home_largest` is what owners may grow theirs to; empty: they cannot.
    `storage_class` and `scheduler` empty: the cluster's own choice. `gateway_peers` are
    NetworkPolicyPeers in the words of Kubernetes. `store_size` empty: there is no store, and no
    environment with packages of its own. `builder_image` empty: each environment's image has what
    builds it. `code_image` has Python and git, and fetches code; empty: the session's own.
    `quota_backstop`: a ResourceQuota is kept that has the site's limits.
    """

    installation: str = "default"
    namespace: str = ""
    home_size: str = "10Gi"
    home_largest: str = ""
    storage_class: str = ""
    access_mode: str = "ReadWriteOnce"
    home_path: str = "/home/jovyan"
    user_id: int = 1000
    group_id: int = 100
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    gateway_peers: tuple[Mapping[str, Any], ...] = (GATEWAY_PODS,)
    blocked_networks: tuple[str, ...] = ()
    stop_seconds: int = 30
    place_minutes: int = 60
    scheduler: str = ""
    store_size: str = ""
    store_class: str = ""
    store_access_mode: str = "ReadWriteMany"
    builder_image: str = ""
    code_image: str = ""
    code_rules: Rules = USUAL_RULES
    pod_patch: Mapping[str, Any] = field(default_factory=dict)
    quota_backstop: bool = False

    @property
    def place_patience(self) -> timedelta | None:
        """How long a place is waited for where nodes may not be read; None: as long as it takes."""
        return timedelta(minutes=self.place_minutes) if self.place_minutes else None

    @property
    def has_store(self) -> bool:
        return bool(self.store_size)

    @property
    def keeps_homes(self) -> bool:
        return bool(self.home_size)

    @property
    def home_size_mib(self) -> int:
        return in_mib(self.home_size)

    @property
    def home_largest_mib(self) -> int | None:
        return in_mib(self.home_largest) if self.home_largest else None

    @property
    def home_access_mode(self) -> AccessMode:
        return _ACCESS_MODES[self.access_mode]


_ACCESS_MODES = {
    "ReadWriteOnce": AccessMode.ONE_MACHINE,
    "ReadWriteMany": AccessMode.MANY_MACHINES,
    "ReadWriteOncePod": AccessMode.ONE_SESSION,
}


class InvalidSite(ValueError):
    """Settings that cannot be used: each problem is one sentence that names the variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


Reader: TypeAlias = Callable[[str], Any]
"""From text to value. Raises `InvalidSite` with what is wrong, without the variable."""


def read_site(given: Mapping[str, str | None]) -> SiteConfig:
    """Read the settings, by the name of the field; None: the default. Raises `InvalidSite`."""
    values, problems = {}, []
    for name, raw in given.items():
        if raw is None:
            continue
        try:
            values[name] = _READERS[name](raw.strip())
        except InvalidSite as invalid:
            problems += [f"{variable(name)}: {problem}" for problem in invalid.problems]
    if problems:
        raise InvalidSite(problems)
    site = SiteConfig(**values)
    if site.home_largest_mib is not None and site.home_largest_mib < site.home_size_mib:
        raise InvalidSite([f"{variable('home_largest')}: This is less than what homes have."])
    return site


def in_mib(quantity: str) -> int:
    """Bytes as Kubernetes writes them, `10Gi` or `500M`, rounded up; 0 for nothing."""
    number = quantity.rstrip("mkMGTPEKi")
    scale = _SCALES[quantity.removeprefix(number)]
    return ceil(Decimal(number or 0) * scale / 1024**2)


_SCALES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(1000),
    "Ki": Decimal(1024),
    **{unit: Decimal(1000 ** (n + 2)) for n, unit in enumerate("MGTPE")},
    **{f"{unit}i": Decimal(1024 ** (n + 2)) for n, unit in enumerate("MGTPE")},
}


def variable(name: str) -> str:
    """The environment variable of a field."""
    # An installation's name is not Kubernetes' alone.
    prefix = "SUBMARINE" if name == "installation" else "SUBMARINE_KUBERNETES"
    return f"{prefix}_{name.upper()}"


def _checked(value: Any, check: Check) -> Any:
    if problems := [str(problem) for problem in check(value, "")]:
        raise InvalidSite(problems)
    return value


def _text(check: Check) -> Reader:
    return lambda raw: _checked(raw, check)


def _text_or_nothing(check: Check) -> Reader:
    return lambda raw: _checked(raw, check) if raw else ""


def _number(*, least: int, most: int) -> Reader:
    check = integer(least=least, most=most)
    return lambda raw: _checked(int(raw) if raw.isascii() and raw.isdigit() else raw, check)


def _list(each: Reader) -> Reader:
    return lambda raw: tuple(each(part.strip()) for part in raw.split(",") if part.strip())


def _json(check: Check, *, empty: Any) -> Reader:
    def read(raw: str) -> Any:
        try:
            value = json.loads(raw) if raw else empty
        except ValueError as error:
            raise InvalidSite([f"This is not JSON: {error}."]) from None
        return _checked(value, check)

    return read


_FLAGS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False, "": False}
_IDS = _number(least=1, most=2**31 - 1)
_READERS: Mapping[str, Reader] = {
    "installation": _text(DNS_LABEL),
    "namespace": _text_or_nothing(DNS_LABEL),
    # An empty variable counts as none, for which the default is taken.
    "home_size": lambda raw: "" if raw == "0" else _text_or_nothing(QUANTITY)(raw),
    "home_largest": _text_or_nothing(QUANTITY),
    "storage_class": _text_or_nothing(DNS_SUBDOMAIN),
    "access_mode": _text(choice(*_ACCESS_MODES)),
    "home_path": _text(FOLDER),
    "user_id": _IDS,
    "group_id": _IDS,
    "image_pull_policy": _text(choice("Always", "IfNotPresent", "Never")),
    "image_pull_secrets": _list(_text(DNS_SUBDOMAIN)),
    "gateway_peers": lambda raw: tuple(_json(PEERS, empty=[GATEWAY_PODS])(raw)),
    "blocked_networks": _list(_text(BLOCKED_NETWORK)),
    "place_minutes": _number(least=0, most=7 * 24 * 60),
    "stop_seconds": _number(least=1, most=3600),
    "scheduler": _text_or_nothing(DNS_SUBDOMAIN),
    "store_size": _text_or_nothing(QUANTITY),
    "store_class": _text_or_nothing(DNS_SUBDOMAIN),
    "store_access_mode": _text(choice("ReadWriteMany", "ReadWriteOnce")),
    "builder_image": lambda raw: _checked(raw, image_reference) if raw else "",
    "code_image": lambda raw: _checked(raw, image_reference) if raw else "",
    "quota_backstop": lambda raw: _checked(_FLAGS.get(raw.lower(), raw), flag),
    "pod_patch": _json(POD_PATCH, empty={}),
}
