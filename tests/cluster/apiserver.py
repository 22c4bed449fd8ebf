"""An API server of a test's own, beside the cluster's and on the same store, to be stopped."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from notebooks.backends.kubernetes.api import Api
from submarine_site.core.outside import BackendUnavailable
from tests.contracts.eventually import eventually

NAME = "kube-apiserver"


class ApiServer:
    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        """`kubeconfig` is of the cluster that it is to serve as well."""
        told = yaml.safe_load(kubeconfig.read_text())
        [cluster] = told["clusters"]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        cluster["cluster"]["server"] = f"https://127.0.0.1:{port}"
        self._command = [
            *(word for word in _command() if not word.startswith("--secure-port=")),
            *(f"--secure-port={port}", "--bind-address=127.0.0.1"),
            # Pods are to go on finding the cluster's own.
            "--endpoint-reconciler-type=none",
        ]
        self._log = folder / "apiserver.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.kubeconfig = folder / "own-apiserver.kubeconfig"
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(told))

    @contextmanager
    def running(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.stop()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        eventually(self._is_ready, within=90)

    def stop(self) -> None:
        """End it in the order that it ends in, which breaks all watches."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(90)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-3000:]
        try:
            return Api(kubeconfig=str(self.kubeconfig)).get_text("/readyz") == "ok"
        except BackendUnavailable:
            return False


def _command() -> list[str]:
    """How the cluster's own was started."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == NAME:
            return list(process.info["cmdline"])
    pytest.fail(f"No {NAME} runs on this machine.")
