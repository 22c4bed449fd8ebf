"""Patches for hypothesis: `ALLOWED` ones, and `ANY` in the same words and in forbidden ones."""

from typing import Any

from hypothesis import strategies as st

Patches = st.SearchStrategy[dict[str, Any]]

NAMES = ["a", "b", "c"]
OUR_NAMES = [
    "home",
    "shared-memory",
    "jupyter-config",
    "session-secrets",
    "notebook",
    "JUPYTER_TOKEN",
    "HOME",
]
KEYS = ["a", "app.kubernetes.io/part-of"]
ANNOTATIONS = ["a", "prometheus.io/port"]
OUR_KEYS = [
    "submarine-notebooks/run",
    "app.kubernetes.io/component",
    "example.com/a",
    "container.apparmor.security.beta.kubernetes.io/notebook",
]
PATHS = ["/a", "/a/b", "/home/jovyan"]
BAD_PATHS = ["/dev/shm", "/proc", "/", "//dev", "/a/../proc"]  # noqa: S108
SOURCES: list[dict[str, Any]] = [
    {"emptyDir": {}},
    {"configMap": {"name": "a"}},
    {"secret": {"secretName": "a"}},
    {"persistentVolumeClaim": {"claimName": "a", "readOnly": True}},
    {"csi": {"driver": "secrets.example"}},
]
BAD_SOURCES: list[dict[str, Any]] = [
    {"hostPath": {"path": "/"}},
    {"nfs": {"server": "a", "path": "/"}},
    {"projected": {"sources": [{"serviceAccountToken": {"path": "a"}}]}},
    {"emptyDir": {}, "hostPath": {"path": "/"}},
    {},
]
MOUNTS: list[dict[str, Any]] = [{}, {"readOnly": True}, {"subPath": "a"}]
BAD_MOUNTS: list[dict[str, Any]] = [{"subPath": "../a"}, {"mountPropagation": "Bidirectional"}]
SIDECARS: list[dict[str, Any]] = [{}, {"args": ["x"]}, {"resources": {"limits": {"cpu": "1"}}}]
BAD_SIDECARS: list[dict[str, Any]] = [
    {"securityContext": {"privileged": True}},
    {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}},
    {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}},
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    {"ports": [{"containerPort": 1, "hostPort": 1}]},
    {"lifecycle": {"preStop": {"httpGet": {"host": "169.254.169.254"}}}},
]
BAD_PATCHES: list[dict[str, Any]] = [
    {"hostNetwork": True},
    {"securityContext": {}},
    {"containers": []},
]


@st.composite
def _patches(draw: st.DrawFn, *, allowed: bool) -> dict[str, Any]:
    def one_of(right: list[Any], wrong: list[Any]) -> Any:
        # Mostly right, else nearly all would be refused for several reasons.
        return draw(st.sampled_from(right if allowed or draw(st.integers(0, 9)) else wrong))

    def some(items: list[Any]) -> list[Any]:
        return draw(st.lists(st.sampled_from(items), max_size=2, unique=True)) if items else []

    def env() -> list[dict[str, str]]:
        return [{"name": one_of([name], OUR_NAMES), "value": "1"} for name in some(NAMES)]

    def mounts(volumes: list[str]) -> list[dict[str, Any]]:
        return [
            {"name": name, "mountPath": one_of([path], BAD_PATHS)} | one_of(MOUNTS, BAD_MOUNTS)
            for name, path in zip(some(volumes), some(PATHS), strict=False)
        ]

    volumes = [{"name": one_of([name], OUR_NAMES)} for name in some(NAMES)]
    known = [volume["name"] for volume in volumes]
    more: dict[str, Any] = one_of([{}], BAD_PATCHES)
    return {
        "labels": {one_of([key], OUR_KEYS): "x" for key in some(KEYS)},
        "annotations": {one_of([key], OUR_KEYS): "unconfined" for key in some(ANNOTATIONS)},
        "env": env(),
        "volumes": [volume | one_of(SOURCES, BAD_SOURCES) for volume in volumes],
        "volumeMounts": mounts(known),
        "sidecars": [
            {
                "name": one_of([name], OUR_NAMES),
                "image": "example/sidecar:1",
                "env": env(),
                "volumeMounts": mounts([*known, "home"]),
            }
            | one_of(SIDECARS, BAD_SIDECARS)
            for name in some(NAMES)
        ],
        **more,
    }


ALLOWED: Patches = _patches(allowed=True)
ANY: Patches = _patches(allowed=False)
