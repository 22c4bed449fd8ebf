"""The `restricted` Pod Security Standard as Kubernetes publishes it, with `baseline` in it.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator

from notebooks.backends.kubernetes.api import Json

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SECCOMP = {"RuntimeDefault", "Localhost"}
APPARMOR = SECCOMP
APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def violations(pod: Json) -> list[str]:
    """What the standard forbids, by the names of its controls."""
    spec = pod["spec"]
    containers = [
        container
        for kind in ("containers", "initContainers", "ephemeralContainers")
        for container in spec.get(kind, [])
    ]
    found = {*_of_pod(pod), *(each for one in containers for each in _of_container(one, spec))}
    return sorted(found)


def _of_pod(pod: Json) -> Iterator[str]:
    spec = pod["spec"]
    security = spec.get("securityContext", {})
    if any(spec.get(field) for field in ("hostNetwork", "hostPID", "hostIPC")):
        yield "Host Namespaces"
    if security.get("sysctls"):
        yield "Sysctls"
    if any(volume.keys() - VOLUMES - {"name"} for volume in spec.get("volumes", [])):
        yield "Volume Types"
    if any(
        key.startswith(APPARMOR_ANNOTATION) and value != "runtime/default"
        for key, value in pod["metadata"].get("annotations", {}).items()
    ):
        yield "AppArmor"
    yield from _of_context(security)


def _of_container(container: Json, spec: Json) -> Iterator[str]:
    pod, own = spec.get("securityContext", {}), container.get("securityContext", {})
    capabilities = own.get("capabilities", {})
    if own.get("privileged"):
        yield "Privileged Containers"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "Privilege Escalation"
    if "ALL" not in capabilities.get("drop", []):
        yield "Capabilities"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "Capabilities"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "Running as Non-root"
    if own.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in SECCOMP:
        yield "Seccomp"
    if own.get("procMount", "Default") != "Default":
        yield "/proc Mount Type"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "Host Ports"
    hooks = [container.get(probe, {}) for probe in PROBES]
    hooks += container.get("lifecycle", {}).values()
    if any(hook.get(kind, {}).get("host") for hook in hooks for kind in ("httpGet", "tcpSocket")):
        yield "Host Probes"
    yield from _of_context(own)


def _of_context(security: Json) -> Iterator[str]:
    if security.get("runAsUser") == 0:
        yield "Running as Non-root user"
    if security.get("seLinuxOptions"):
        yield "SELinux"
    if security.get("windowsOptions", {}).get("hostProcess"):
        yield "HostProcess"
    if security.get("seccompProfile", {"type": "RuntimeDefault"}).get("type") not in SECCOMP:
        yield "Seccomp"
    if security.get("appArmorProfile", {"type": "RuntimeDefault"}).get("type") not in APPARMOR:
        yield "AppArmor"
