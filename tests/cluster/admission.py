"""An admission webhook: a test has a say, and a hand free, while an object is made or deleted."""

import json
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from notebooks.backends.kubernetes.api import ApiError, Json
from tests.cluster.cluster import Administrator
from tests.contracts.eventually import eventually

PATH = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
PROBE = "is-it-asked"


def on_creation(
    admin: Administrator, resource: str, folder: Path, judge: Callable[[Json], str]
) -> AbstractContextManager[None]:
    """Ask `judge` about every object of a kind that is created in the administrator's namespace:
    empty lets it be, anything else is why not.
    """
    return _asked(admin, "CREATE", resource, folder, judge)


def on_deletion(
    admin: Administrator, resource: str, folder: Path, judge: Callable[[Json], str]
) -> AbstractContextManager[None]:
    """Ask `judge` about every object of a kind that is deleted there, likewise."""
    return _asked(admin, "DELETE", resource, folder, judge)


@contextmanager
def _asked(
    admin: Administrator,
    operation: str,
    resource: str,
    folder: Path,
    judge: Callable[[Json], str],
) -> Iterator[None]:
    certificate, key = _certificate(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(operation, judge))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    name = f"{admin.namespace}-{resource}"
    configuration = _configuration(admin, resource, server.server_port, certificate)
    admin.api.create(PATH, {**configuration, "metadata": {"name": name}})
    try:
        eventually(lambda: _is_asked(admin, resource))
        yield
    finally:
        admin.api.delete(f"{PATH}/{name}")
        # Else what is created next meets a webhook that is gone.
        eventually(lambda: not _is_asked(admin, resource))
        server.shutdown()
        thread.join()
        server.server_close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "webhook.crt", folder / "webhook.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=webhook", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-out", certificate, "-keyout", key),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def _configuration(admin: Administrator, resource: str, port: int, certificate: Path) -> Json:
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        # The probe is created.
        "operations": ["CREATE", "DELETE"],
        "resources": [resource],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "webhooks": [
            {
                "name": "judge.test.example",
                "clientConfig": {
                    "url": f"https://127.0.0.1:{port}/",
                    "caBundle": b64encode(certificate.read_bytes()).decode(),
                },
                "rules": [rule],
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": admin.namespace}
                },
                "admissionReviewVersions": ["v1"],
                "sideEffects": "NoneOnDryRun",
                "timeoutSeconds": 30,
            }
        ],
    }


def _is_asked(admin: Administrator, resource: str) -> bool:
    """Whether the API server has heard of the webhook."""
    body: Json = {"metadata": {"name": PROBE}}
    if resource == "pods":
        body["spec"] = {"containers": [{"name": "main", "image": "none"}]}
    try:
        admin.api.create(f"/api/v1/namespaces/{admin.namespace}/{resource}?dryRun=All", body)
    except ApiError as error:
        return PROBE in error.said
    return False


def _handler(operation: str, judge: Callable[[Json], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = review["request"]
            given = request["object"] or request["oldObject"]
            refusal = ""
            if given["metadata"]["name"] == PROBE:
                refusal = PROBE
            elif request["operation"] == operation:
                refusal = judge(given)
            answer = {"uid": request["uid"], "allowed": not refusal, "status": {"message": refusal}}
            body = json.dumps({**review, "response": answer}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
