"""What the cluster is sent for volumes: claims, and what of them is in a pod."""

from dataclasses import replace
from uuid import UUID

import pytest

from notebooks.backends.contract import CodeSource, SessionSpec, VolumeMount
from notebooks.backends.kubernetes import manifests, storage
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.names import volume_id
from submarine_site.core.outside import BackendRefused
from tests.contracts.backend_suite import a_spec
from tests.notebooks.backends.kubernetes.pod_security import violations
from volumes.contract import AccessMode, VolumeSpec

SITE = SiteConfig()
HOME, DATA, SHARED = (UUID(int=number) for number in (1, 2, 3))
ADOPTED = VolumeSpec(id=SHARED, claim="lab-data")
SPEC = replace(
    a_spec(home=VolumeSpec(id=HOME)),
    mounts=(
        VolumeMount(volume=VolumeSpec(id=DATA), path="data/raw"),
        VolumeMount(volume=ADOPTED, path="lab", read_only=True),
    ),
)


def claim_of(site: SiteConfig = SITE, **given: object) -> Json:
    spec = VolumeSpec(id=DATA, **given)  # type: ignore[arg-type]
    return storage.claim(spec, site)


def test_a_volume_is_a_claim() -> None:
    assert claim_of(display_name="Größe 🐟", owner="ada") == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": f"home-{DATA}",
            "labels": {
                "app.kubernetes.io/name": "submarine-notebooks",
                "app.kubernetes.io/component": "session",
                "submarine-notebooks/installation": "default",
                "submarine-notebooks/volume": str(DATA),
            },
            "annotations": {
                "submarine-notebooks/name": "Größe 🐟",
                "submarine-notebooks/owner": "ada",
            },
        },
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }


def test_its_own_size_and_class_come_before_the_sites() -> None:
    site = SiteConfig(home_size="5Gi", storage_class="slow")
    assert claim_of(site)["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "5Gi"}},
        "storageClassName": "slow",
    }
    assert claim_of(site, size_mib=300, storage_class="fast")["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "300Mi"}},
        "storageClassName": "fast",
    }


@pytest.mark.parametrize(
    ("of_site", "wanted", "mode"),
    [
        ("ReadWriteOnce", AccessMode.ONE_MACHINE, "ReadWriteOnce"),
        ("ReadWriteMany", AccessMode.ONE_MACHINE, "ReadWriteOnce"),
        ("ReadWriteOnce", AccessMode.MANY_MACHINES, "ReadWriteMany"),
        ("ReadWriteOnce", AccessMode.ONE_SESSION, "ReadWriteOnce"),
        ("ReadWriteOncePod", AccessMode.ONE_SESSION, "ReadWriteOncePod"),
    ],
)
def test_what_a_cluster_does_not_know_is_not_asked_of_it(
    of_site: str, wanted: AccessMode, mode: str
) -> None:
    made = claim_of(SiteConfig(access_mode=of_site), access_mode=wanted)
    assert made["spec"]["accessModes"] == [mode]


def test_what_people_write_is_bounded() -> None:
    annotations = claim_of(display_name="x" * 1000, owner="y" * 1000)["metadata"]["annotations"]
    assert set(map(len, annotations.values())) == {200}


def test_a_claim_tells_its_volume_by_name_and_label_together() -> None:
    metadata = claim_of()["metadata"]
    assert volume_id(metadata) == DATA
    assert volume_id(metadata | {"name": "copied"}) is None
    assert volume_id(metadata | {"labels": {"submarine-notebooks/volume": "x"}}) is None
    assert volume_id({"name": "theirs", "labels": {}}) is None


def test_a_pod_has_its_volumes_below_the_home() -> None:
    pod = manifests.pod(SPEC, SITE)
    assert violations(pod) == []
    assert pod["spec"]["volumes"][:3] == [
        {"name": "home", "persistentVolumeClaim": {"claimName": f"home-{HOME}"}},
        {"name": f"attached-{DATA}", "persistentVolumeClaim": {"claimName": f"home-{DATA}"}},
        {"name": f"attached-{SHARED}", "persistentVolumeClaim": {"claimName": "lab-data"}},
    ]
    assert pod["spec"]["containers"][0]["volumeMounts"][:3] == [
        {"name": "home", "mountPath": "/home/jovyan"},
        {"name": f"attached-{DATA}", "mountPath": "/home/jovyan/data/raw"},
        {"name": f"attached-{SHARED}", "mountPath": "/home/jovyan/lab", "readOnly": True},
    ]


def test_a_volume_that_is_attached_twice_is_in_the_pod_once() -> None:
    home = VolumeSpec(id=HOME)
    mounts = (VolumeMount(volume=home, path="a"), VolumeMount(volume=home, path="b"))
    pod = manifests.pod(replace(SPEC, mounts=mounts), SITE)
    assert [each["name"] for each in pod["spec"]["volumes"]] == ["home", "jupyter-config"]
    assert [each["name"] for each in pod["spec"]["containers"][0]["volumeMounts"]][:3] == [
        "home"
    ] * 3


def test_a_pod_is_found_by_each_of_its_volumes() -> None:
    labels = manifests.pod(SPEC, SITE)["metadata"]["labels"]
    of_volumes = {name for name in labels if name.startswith("submarine-notebooks/volume")}
    assert of_volumes == {f"submarine-notebooks/volume.{each}" for each in (HOME, DATA, SHARED)}


@pytest.mark.parametrize("at", ["data/raw", "data", "data/raw/deep", "lab"])
def test_no_volume_is_put_over_what_the_site_has_there(at: str) -> None:
    patch = {"volumeMounts": [{"name": "a", "mountPath": f"/home/jovyan/{at}"}]}
    of_profile = replace(SPEC, placement=replace(SPEC.placement, pod_patch=patch))
    for spec, site in ((SPEC, SiteConfig(pod_patch=patch)), (of_profile, SITE)):
        with pytest.raises(BackendRefused) as refusal:
            storage.require_free(spec, site)
        assert refusal.value.code == "mount_path_taken"


@pytest.mark.parametrize("at", ["/home/jovyan/data/rawer", "/home", "/data/raw", "/home/jovyan"])
def test_beside_what_the_site_has_there_is_room(at: str) -> None:
    patch = {"volumeMounts": [{"name": "a", "mountPath": at}]}
    storage.require_free(SPEC, SiteConfig(pod_patch=patch))


def test_code_goes_into_the_home_alone() -> None:
    spec = replace(SPEC, code=(CodeSource(url="https://git.example.com/a.git", folder="a"),))
    [_, step] = manifests.pod(spec, SITE)["spec"]["initContainers"]
    assert [each["name"] for each in step["volumeMounts"]] == ["home", "code"]


def term(volume: UUID) -> Json:
    return {
        "labelSelector": {
            "matchLabels": {"submarine-notebooks/installation": "default"},
            "matchExpressions": [
                {"key": f"submarine-notebooks/volume.{volume}", "operator": "Exists"}
            ],
        },
        "topologyKey": "kubernetes.io/hostname",
    }


def beside(*volumes: UUID, spec: SessionSpec = SPEC) -> Json:
    pod = manifests.pod(replace(spec, beside=frozenset(volumes)), SITE)
    found: Json = pod["spec"].get("affinity", {})
    return found


def test_a_pod_is_put_where_a_volume_of_its_is() -> None:
    assert beside() == {}
    assert beside(DATA) == {
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term(DATA)]}
    }


def test_of_several_the_home_is_demanded_and_the_others_are_preferred() -> None:
    home = VolumeSpec(id=UUID(int=9))
    assert beside(DATA, SHARED, home.id, spec=replace(SPEC, home=home)) == {
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [term(home.id)],
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 100, "podAffinityTerm": term(DATA)},
                {"weight": 100, "podAffinityTerm": term(SHARED)},
            ],
        }
    }


def test_what_a_profile_prefers_stays() -> None:
    preferring = replace(SPEC, placement=replace(SPEC.placement, preferred_nodes={"disk": "fast"}))
    assert set(beside(DATA, spec=preferring)) == {"podAffinity", "nodeAffinity"}
