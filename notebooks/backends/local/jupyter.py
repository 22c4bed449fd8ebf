"""How Jupyter is started: its command line, and an environment without the service's secrets."""

import os
import sys
from pathlib import Path

from notebooks.backends import inside, rescue
from notebooks.backends.contract import SECRETS_FOLDER, SessionSpec
from notebooks.backends.local.processes import MARK

DEFAULT_PORT = 8888
# What a session may know of the service's own environment.
INHERITED = frozenset(
    {
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "SHELL",
        "TERM",
        "TZ",
        "USER",
        "ALL_PROXY",
        "FTP_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)


def command(jupyter: Path, spec: SessionSpec, *, home: Path, socket: Path) -> list[str]:
    """The command line. Its values are pinned (`inside`); the token is not in it."""
    options: dict[str, object] = {
        "ServerApp.sock": socket,
        # Jupyter refuses a socket together with any other port.
        "ServerApp.port": DEFAULT_PORT,
        "ServerApp.base_url": spec.base_url,
        "ServerApp.root_dir": home,
        # The gateway keeps the host that the browser asked for.
        "ServerApp.allow_remote_access": True,
        "ServerApp.allow_root": os.geteuid() == 0,
        # Kernels' TCP ports can be reached by every user of the machine.
        "KernelManager.transport": "ipc",
        # What one person installs would change the environment for all.
        "LabApp.extension_manager": "readonly",
    }
    if spec.is_rescue:
        options |= rescue.OPTIONS
    if spec.kernels:
        options["MultiKernelManager.default_kernel_name"] = spec.kernels[0].name
    return [str(jupyter), *(f"--{name}={value}" for name, value in options.items())]


def environment(
    jupyter: Path,
    spec: SessionSpec,
    *,
    home: Path,
    runtime: Path,
    secrets: Path,
    rescued: Path,
    store: Path,
) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in INHERITED or name.startswith("LC_")
    }
    # The service's own tools come before the system's in its path, and are not for users.
    service = Path(sys.prefix, "bin")
    path = [folder for folder in os.get_exec_path() if Path(folder) != service]
    own = {
        "HOME": str(home),
        "PATH": os.pathsep.join([str(jupyter.parent), *path]),
        "JUPYTER_CONFIG_PATH": str(inside.FOLDER),
        inside.JUPYTER: inside.variable(spec),
        **inside.workspaces(home, spec),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_TOKEN": spec.token,
        MARK: str(spec.key.run_id),
    }
    if spec.kernels:
        folders = [str(store / kernel.digest / "share/jupyter") for kernel in spec.kernels]
        own["JUPYTER_PATH"] = os.pathsep.join(folders)
    if spec.is_rescue:
        own |= rescue.environment(rescued)
    if spec.secret_files:
        own[SECRETS_FOLDER] = str(secrets)
    return {**inherited, **spec.variables, **spec.secrets, **own}
