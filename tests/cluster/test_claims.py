"""Volumes as claims: how they grow, what of others' is left alone, who shares them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from notebooks.backends.contract import Observed, RunState, VolumeMount
from notebooks.backends.kubernetes import storage
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from submarine_site.core.outside import BackendRefused, BackendUnavailable
from tests.cluster.cluster import Administrator
from tests.cluster.test_contract import ClusterSite
from tests.contracts.backend_suite import a_spec, a_volume, home_of
from tests.contracts.eventually import eventually
from volumes.contract import VolumeSpec

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

CLAIMS = "persistentvolumeclaims"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"


@pytest.fixture
def site(admin: Administrator, kubeconfig: Path) -> Iterator[ClusterSite]:
    site = ClusterSite(admin, kubeconfig)
    yield site
    for resource in ("pods", "secrets", CLAIMS):
        for name in admin.names(resource):
            if name.startswith(("nb-", "home-", "given-", "theirs-")):
                admin.api.delete(f"{resource}/{name}", grace_seconds=0)
    eventually(lambda: not admin.names("pods"))
    eventually(lambda: not admin.names(CLAIMS))


@contextmanager
def a_class(admin: Administrator, *, expands: bool, binding: str = "Immediate") -> Iterator[str]:
    """A StorageClass, which is all namespaces'."""
    name = f"{admin.namespace}-{uuid4().hex[:6]}"
    made = {
        "metadata": {"name": name},
        "provisioner": "kubernetes.io/host-path",
        "allowVolumeExpansion": expands,
        "volumeBindingMode": binding,
    }
    admin.api.create(CLASSES, made)
    try:
        yield name
    finally:
        admin.api.delete(f"{CLASSES}/{name}")


def claim_of(admin: Administrator, volume: VolumeSpec) -> Json:
    return admin.api.get(f"{CLAIMS}/{storage.claim_name(volume)}")


def asked_of(admin: Administrator, volume: VolumeSpec) -> str:
    return str(claim_of(admin, volume)["spec"]["resources"]["requests"]["storage"])


def bound(site: ClusterSite, admin: Administrator, volume: VolumeSpec) -> VolumeSpec:
    site.backend.ensure_volume(volume)
    eventually(lambda: claim_of(admin, volume)["status"]["phase"] == "Bound")
    return volume


def refused(site: ClusterSite, volume: VolumeSpec) -> tuple[str, str]:
    with pytest.raises(BackendRefused) as refusal:
        site.backend.grow_volume(volume)
    return refusal.value.code, str(refusal.value)


def test_a_volume_grows_where_its_class_lets_it(site: ClusterSite, admin: Administrator) -> None:
    with a_class(admin, expands=True) as name:
        volume = bound(site, admin, replace(a_volume(size_mib=10), storage_class=name))
        for wanted, size in ((20, "20Mi"), (15, "20Mi"), (20, "20Mi"), (1024, "1Gi")):
            site.backend.grow_volume(replace(volume, size_mib=wanted))
            assert asked_of(admin, volume) == size


def test_a_volume_does_not_grow_where_its_class_does_not_let_it(
    site: ClusterSite, admin: Administrator
) -> None:
    with a_class(admin, expands=False) as name:
        volume = bound(site, admin, replace(a_volume(size_mib=10), storage_class=name))
        assert refused(site, replace(volume, size_mib=20)) == (
            "volume_not_growable",
            "Storage of its class does not grow in this cluster.",
        )
        assert asked_of(admin, volume) == "10Mi"


def test_a_volume_that_has_no_storage_yet_does_not_grow(
    site: ClusterSite, admin: Administrator
) -> None:
    with a_class(admin, expands=True, binding="WaitForFirstConsumer") as name:
        volume = replace(a_volume(size_mib=10), storage_class=name)
        site.backend.ensure_volume(volume)
        assert refused(site, replace(volume, size_mib=20)) == (
            "volume_unbound",
            "It has no storage yet: it can grow once a session has started with it.",
        )


def test_a_volume_grows_within_the_quota_of_the_namespace(
    site: ClusterSite, admin: Administrator
) -> None:
    with a_class(admin, expands=True) as name:
        volume = bound(site, admin, replace(a_volume(size_mib=10), storage_class=name))
        hard = {"hard": {"requests.storage": "30Mi"}}
        admin.api.create("resourcequotas", {"metadata": {"name": "full"}, "spec": hard})
        try:
            eventually(lambda: admin.api.get("resourcequotas/full")["status"].get("used"))
            code, message = refused(site, replace(volume, size_mib=50))
            assert code == "namespace_full"
            assert message == (
                "Sessions may use 30 MiB of storage of this cluster in all; 10 MiB of storage is "
                "in use, and this one needs 40 MiB of storage."
            )
            site.backend.grow_volume(replace(volume, size_mib=30))
        finally:
            admin.api.delete("resourcequotas/full")
        assert asked_of(admin, volume) == "30Mi"


def test_how_large_volumes_are_is_seen(site: ClusterSite, admin: Administrator) -> None:
    volume = bound(site, admin, a_volume(size_mib=12))
    admin.claim("theirs-1")
    labels = {"submarine-notebooks/volume": str(uuid4()), "submarine-notebooks/installation": "x"}
    admin.claim("theirs-2", metadata={"labels": labels})
    [(seen, capacity)] = site.backend.observe_volumes().items()
    assert (seen, capacity.capacity_mib, capacity.used_mib) == (volume.id, 12, None)


def not_adopted(site: ClusterSite, name: str) -> str:
    """Why a claim cannot be adopted."""
    with pytest.raises(BackendRefused) as refusal:
        site.backend.ensure_volume(a_volume(claim=name))
    assert refusal.value.code == "volume_missing"
    return str(refusal.value)


def test_a_claim_that_is_not_theirs_to_give_is_not_adopted(
    site: ClusterSite, admin: Administrator
) -> None:
    volume = bound(site, admin, a_volume())
    admin.claim("given-1", metadata={"finalizers": ["example.com/held"]})
    site.backend.ensure_volume(a_volume(claim="given-1"))
    admin.api.delete(f"{CLAIMS}/given-1")
    assert not_adopted(site, "given-1") == "The claim “given-1” is being removed."
    admin.api.merge(f"{CLAIMS}/given-1", {"metadata": {"finalizers": None}})
    eventually(lambda: "given-1" not in admin.names(CLAIMS))
    assert not_adopted(site, "given-1") == "There is no claim “given-1” where the sessions are."
    own = storage.claim_name(volume)
    assert not_adopted(site, own) == f"The claim “{own}” is the service's own."
    # Without its labels it is another's home still.
    labels = dict.fromkeys(claim_of(admin, volume)["metadata"]["labels"])
    admin.api.merge(f"{CLAIMS}/{own}", {"metadata": {"labels": labels, "annotations": None}})
    assert not_adopted(site, own) == f"The claim “{own}” is the service's own."
    for field in ("labels", "annotations"):
        admin.claim("theirs-1", metadata={field: {"submarine-notebooks/owner": "ada"}})
        assert not_adopted(site, "theirs-1") == "The claim “theirs-1” is the service's own."
        admin.api.delete(f"{CLAIMS}/theirs-1")
        eventually(lambda: "theirs-1" not in admin.names(CLAIMS))


@pytest.mark.parametrize("name", ["../pods", "a/status", "a?b", "Ä", "A" * 300, " given", "a%2Fb"])
def test_what_is_no_name_is_no_claim(site: ClusterSite, name: str) -> None:
    assert not_adopted(site, name) == f"There is no claim “{name}” where the sessions are."


def test_an_adopted_claim_stays_as_it_is(site: ClusterSite, admin: Administrator) -> None:
    admin.claim("given-1")
    given = a_volume(size_mib=100, claim="given-1")
    eventually(lambda: claim_of(admin, given)["status"]["phase"] == "Bound")
    before = claim_of(admin, given)
    site.backend.ensure_volume(given)
    assert refused(site, given)[0] == "volume_not_growable"
    site.backend.delete_volume(given)
    assert claim_of(admin, given) == before


def test_what_only_has_the_name_of_a_volume_is_left_alone(
    site: ClusterSite, admin: Administrator
) -> None:
    volume = a_volume()
    admin.claim(storage.claim_name(volume))
    before = claim_of(admin, volume)
    site.backend.delete_volume(volume)
    assert refused(site, volume)[0] == "volume_missing"
    with pytest.raises(BackendRefused):
        site.backend.ensure_volume(volume)
    assert claim_of(admin, volume)["metadata"]["uid"] == before["metadata"]["uid"]


def test_a_volume_that_a_pod_of_an_older_version_has_is_in_use(
    site: ClusterSite, admin: Administrator
) -> None:
    volume = bound(site, admin, a_volume())
    labels = {
        "submarine-notebooks/installation": "default",
        "submarine-notebooks/volume": str(volume.id),
    }
    admin.pod("nb-older", metadata={"labels": labels})
    with pytest.raises(BackendRefused) as refusal:
        site.backend.delete_volume(volume)
    assert refusal.value.code == "volume_in_use"


def test_a_volume_that_is_being_removed_is_neither_made_nor_grown(
    site: ClusterSite, admin: Administrator
) -> None:
    volume = bound(site, admin, a_volume())
    path = f"{CLAIMS}/{storage.claim_name(volume)}"
    admin.api.merge(path, {"metadata": {"finalizers": ["example.com/held"]}})
    site.backend.delete_volume(volume)
    assert refused(site, replace(volume, size_mib=20))[0] == "volume_missing"
    with pytest.raises(BackendUnavailable):
        site.backend.ensure_volume(volume)
    admin.api.merge(path, {"metadata": {"finalizers": None}})


def test_who_shares_a_volume_is_put_beside_who_has_it(
    site: ClusterSite, admin: Administrator
) -> None:
    volume = a_volume()
    site.backend.ensure_volume(volume)
    mount = VolumeMount(volume=volume, path="data")
    specs = [replace(a_spec(), mounts=(mount,), beside=frozenset({volume.id})) for _ in range(2)]
    for spec in specs:
        site.backend.ensure_volume(home_of(spec))
        # The first has nobody to be beside: whoever had it is gone.
        site.backend.start(spec)
        site.await_ready(spec.key)
    pods = [admin.api.get(f"pods/nb-{spec.key.run_id}") for spec in specs]
    [term] = pods[1]["spec"]["affinity"]["podAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    [expression] = term["labelSelector"]["matchExpressions"]
    assert expression["key"] in pods[0]["metadata"]["labels"]
    assert pods[0]["spec"]["nodeName"] == pods[1]["spec"]["nodeName"]


def ended(site: ClusterSite, mount: VolumeMount, home: VolumeSpec) -> Observed:
    spec = a_spec(home=home, mounts=(mount,))
    site.backend.ensure_volume(mount.volume)
    site.backend.start(spec)

    def over() -> Observed | None:
        seen = site.backend.observe(spec.key)
        return seen if seen and seen.state is RunState.EXITED else None

    return eventually(over, within=60)


def test_a_volume_hides_no_files_of_the_home(site: ClusterSite) -> None:
    first = a_spec()
    site.backend.ensure_volume(home_of(first))
    site.backend.start(first)
    assert site.write_file(first.key, "notes", "mine")
    seen = ended(site, VolumeMount(volume=a_volume(), path="notes/data"), home_of(first))
    assert seen.failure_code == "mount_path_taken"
    assert seen.failure_detail == (
        "There is something at “notes/data” in the home already: move it, or attach the volume "
        "elsewhere."
    )
    assert site.read_file(first.key, "notes") == "mine"


def test_a_site_without_homes_keeps_volumes_all_the_same(
    admin: Administrator, kubeconfig: Path
) -> None:
    site = ClusterSite(admin, kubeconfig, SiteConfig(home_size="", stop_seconds=1))
    volume = a_volume(size_mib=3)
    site.backend.ensure_volume(volume)
    assert asked_of(admin, volume) == "3Mi"
    site.backend.delete_volume(volume)
