"""What volumes are in the cluster: their claims, and what a pod has of them. Pure."""

from uuid import UUID

from notebooks.backends.contract import SessionSpec
from notebooks.backends.kubernetes import names
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from submarine_site.core.object_names import is_own_name
from submarine_site.core.outside import BackendRefused
from submarine_site.core.pod_shapes import ATTACHED_VOLUME, HOME_VOLUME
from volumes.contract import AccessMode, VolumeSpec

MAX_ANNOTATION = 200


def described(display_name: str, owner: str) -> dict[str, str]:
    """Annotations for people who look at the cluster."""
    return {
        names.DISPLAY_NAME: display_name[:MAX_ANNOTATION],
        names.OWNER: owner[:MAX_ANNOTATION],
    }


def claim(spec: VolumeSpec, site: SiteConfig) -> Json:
    """The claim of a volume that is not an adopted one."""
    wanted: Json = {
        "accessModes": [_access_mode(spec.access_mode, site)],
        "resources": {"requests": {"storage": size(spec, site)}},
    }
    if storage_class := spec.storage_class or site.storage_class:
        wanted["storageClassName"] = storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.claim_name(spec.id),
            "labels": names.volume_labels(spec.id, site.installation),
            "annotations": described(spec.display_name, spec.owner),
        },
        "spec": wanted,
    }


def size(spec: VolumeSpec, site: SiteConfig) -> str:
    """Its size as a quantity."""
    return f"{spec.size_mib}Mi" if spec.size_mib else site.home_size


def claim_name(spec: VolumeSpec) -> str:
    return spec.claim or names.claim_name(spec.id)


def use_labels(spec: SessionSpec) -> dict[str, str]:
    """By which the pods that have a volume are found."""
    return {names.use_label(volume.id): "" for volume in _attached(spec).values()}


def pod_volumes(spec: SessionSpec) -> list[Json]:
    """The volumes of a run's pod, its home first."""
    listed = [_pod_volume(name, volume) for name, volume in _attached(spec).items()]
    return listed if spec.home else [{"name": HOME_VOLUME, "emptyDir": {}}, *listed]


def home_mount(site: SiteConfig) -> Json:
    return {"name": HOME_VOLUME, "mountPath": site.home_path}


def mounts(spec: SessionSpec, site: SiteConfig) -> list[Json]:
    """Where the notebook's container has them."""
    return [
        home_mount(site),
        *(
            {
                "name": _name(mount.volume, spec),
                "mountPath": f"{site.home_path}/{mount.path}",
                **({"readOnly": True} if mount.read_only else {}),
            }
            for mount in spec.mounts
        ),
    ]


def require_others(spec: SessionSpec) -> None:
    """Refuse a volume that was adopted from what is the service's own: another's home, say."""
    for volume in _attached(spec).values():
        if is_own_name(volume.claim):
            raise BackendRefused(own_claim(volume.claim), code="volume_refused")


def own_claim(name: str) -> str:
    """Why a claim cannot be adopted that is the service's own, in a sentence."""
    return f"The claim “{name}” is the service's own."


def require_free(spec: SessionSpec, site: SiteConfig) -> None:
    """Refuse to attach a volume where the site or the profile has something in every home."""
    taken = {
        mount["mountPath"]
        for patch in (site.pod_patch, spec.placement.pod_patch)
        for mount in patch.get("volumeMounts", ())
        if mount["mountPath"].startswith(f"{site.home_path}/")
    }
    for mount in spec.mounts:
        path = f"{site.home_path}/{mount.path}"
        if any(_overlap(path, other) for other in taken):
            raise BackendRefused(
                f"The site has something of its own at “{mount.path}”: attach the volume "
                "elsewhere.",
                code="mount_path_taken",
            )


def _overlap(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")


def folders(spec: SessionSpec, site: SiteConfig) -> dict[str, str]:
    """Where the notebook's container has which volume."""
    homes = {str(spec.home.id): site.home_path} if spec.home else {}
    return homes | {str(mount.volume.id): f"{site.home_path}/{mount.path}" for mount in spec.mounts}


def affinity(spec: SessionSpec, site: SiteConfig) -> Json:
    """The machine where the volumes are that another pod has."""
    # The home first: whoever has another volume too has it. No more than one is demanded, for the
    # scheduler takes several demands to be met by one and the same pod. Where no pod has it any
    # more, the demand is met by the pod itself, on any machine.
    terms = [
        {
            "labelSelector": {
                "matchLabels": {names.INSTALLATION: site.installation},
                "matchExpressions": [{"key": names.use_label(volume), "operator": "Exists"}],
            },
            "topologyKey": "kubernetes.io/hostname",
        }
        for volume in sorted(spec.beside, key=lambda volume: (not _is_home(volume, spec), volume))
    ]
    if not terms:
        return {}
    demanded, *others = terms
    chosen: Json = {"requiredDuringSchedulingIgnoredDuringExecution": [demanded]}
    if others:
        chosen["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": 100, "podAffinityTerm": term} for term in others
        ]
    return {"podAffinity": chosen}


def _attached(spec: SessionSpec) -> dict[str, VolumeSpec]:
    """The volumes of a run, each once, by what its pod calls them."""
    volumes = [spec.home] if spec.home else []
    volumes += [mount.volume for mount in spec.mounts]
    return {_name(volume, spec): volume for volume in volumes}


def _name(volume: VolumeSpec, spec: SessionSpec) -> str:
    return HOME_VOLUME if _is_home(volume.id, spec) else f"{ATTACHED_VOLUME}{volume.id}"


def _is_home(volume: UUID, spec: SessionSpec) -> bool:
    return spec.home is not None and volume == spec.home.id


def _pod_volume(name: str, volume: VolumeSpec) -> Json:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim_name(volume)}}


def _access_mode(wanted: AccessMode, site: SiteConfig) -> str:
    match wanted:
        case AccessMode.ONE_MACHINE:
            return "ReadWriteOnce"
        case AccessMode.MANY_MACHINES:
            return "ReadWriteMany"
        case AccessMode.ONE_SESSION:
            # The service keeps others out where the cluster cannot: before 1.22 it knows no such
            # mode, and not every driver does.
            return "ReadWriteOncePod" if site.access_mode == "ReadWriteOncePod" else "ReadWriteOnce"
