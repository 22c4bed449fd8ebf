"""The step before the server that puts code into the home: an init container. Pure."""

from notebooks.backends import code
from notebooks.backends.contract import SessionSpec
from notebooks.backends.kubernetes import names, storage
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from submarine_site.core.pod_shapes import CODE_CONTAINER, CODE_VOLUME

PATH = "/etc/submarine-code"
_REQUEST = "request.json"
# Whatever becomes of it, in an image without Python too: the session starts.
_COMMAND = (
    f"python3 -I -S {PATH}/{code.PROGRAM} fetch {PATH}/{_REQUEST} /dev/termination-log; exit 0"
)


def container(spec: SessionSpec, site: SiteConfig) -> Json:
    """What it runs; its outcome is its termination message."""
    return {
        "name": CODE_CONTAINER,
        "image": site.code_image or spec.image,
        "command": ["/bin/sh", "-c", _COMMAND],
        "volumeMounts": [
            storage.home_mount(site),
            {"name": CODE_VOLUME, "mountPath": PATH, "readOnly": True},
        ],
    }


def _key(name: str) -> str:
    return f"code.{name}"


PROGRAM_FILES = {_key(name): text for name, text in code.FILES.items()}
"""The program, by the keys of the ConfigMap that all pods share."""


def secret_files(spec: SessionSpec, site: SiteConfig) -> dict[str, str]:
    """What it is asked, with the credentials, by the key of the run's Secret."""
    return {_key(_REQUEST): code.code_request(spec, site.code_rules, home=site.home_path)}


def volume(spec: SessionSpec, programs: str) -> Json:
    """Where it finds both, and nobody else does. `programs` is the name of the ConfigMap."""
    asked = [{"key": _key(_REQUEST), "path": _REQUEST}]
    program = [{"key": _key(name), "path": f"{code.PROGRAM}/{name}"} for name in code.FILES]
    sources = [
        {"secret": {"name": names.run_name(spec.key), "items": asked}},
        {"configMap": {"name": programs, "items": program}},
    ]
    return {"name": CODE_VOLUME, "projected": {"sources": sources}}
