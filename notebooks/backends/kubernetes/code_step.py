"""The step before the server that puts code into the home: an init container. Pure."""

from notebooks.backends import code
from notebooks.backends.contract import SessionSpec
from notebooks.backends.kubernetes import names
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from submarine_site.core.pod_shapes import CODE_CONTAINER, CODE_VOLUME, HOME_VOLUME

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
            {"name": HOME_VOLUME, "mountPath": site.home_path},
            {"name": CODE_VOLUME, "mountPath": PATH, "readOnly": True},
        ],
    }


def secret_files(spec: SessionSpec, site: SiteConfig) -> dict[str, str]:
    """What it is given, by the keys of the run's Secret: its program, and with the credentials what
    it is asked.
    """
    asked = code.code_request(spec, site.code_rules, home=site.home_path)
    return {_key(_REQUEST): asked} | {_key(name): text for name, text in code.FILES.items()}


def volume(spec: SessionSpec) -> Json:
    """Where it finds them, and nobody else does."""
    paths = {_REQUEST: _REQUEST} | {name: f"{code.PROGRAM}/{name}" for name in code.FILES}
    items = [{"key": _key(name), "path": path} for name, path in paths.items()]
    secret = {"secretName": names.run_name(spec.key), "items": items}
    return {"name": CODE_VOLUME, "secret": secret}


def _key(name: str) -> str:
    return f"code.{name}"
