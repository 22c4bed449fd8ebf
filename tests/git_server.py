"""A git server over https on loopback, with a certificate authority of its own, for tests."""

import base64
import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.authority import certificates

TOKEN = "glpat-7f3a-secret"
USERNAME = "ada"

# Nothing of whoever runs the tests.
GIT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_ALLOW_PROTOCOL": "file",
}


def git(folder: Path, *arguments: str, given: bytes | None = None) -> str:
    """Run git, and return what it writes."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=GIT, input=given, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


@dataclass(kw_only=True)
class GitServer:
    """`private/…` asks for the token; `moved/…` redirects to where `moved` says; `slow/…` does not
    answer. `asked` has the path and the credential of each request. `lfs` is the content of Git LFS
    files by object, which is given out below `lfs_url`.
    """

    folder: Path
    host: str
    port: int = 0
    certificates: str = ""
    moved: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    lfs: dict[str, bytes] = field(default_factory=dict)
    lfs_url: str = ""

    def url(self, path: str) -> str:
        return f"https://{self.host}:{self.port}/{path}"

    def repository(self, path: str, files: dict[str, str] | None = None) -> Path:
        """Make a repository with one commit on `main`, and return its bare folder."""
        bare = self.folder / path
        bare.mkdir(parents=True)
        git(bare, "init", "--quiet", "--bare", "--initial-branch=main")
        (bare / "git-daemon-export-ok").touch()
        self.commit(path, files or {"README.md": "Hello.\n"})
        return bare

    def commit(self, path: str, files: dict[str, str], branch: str = "main") -> str:
        """Add a commit with these files and links (`->target`); returns its id."""
        bare = self.folder / path
        lines = ["commit refs/heads/" + branch, "committer Ada <a@example.com> 1700000000 +0000"]
        lines += ["data 4", "work"]
        if git(bare, "for-each-ref", f"refs/heads/{branch}"):
            lines.append(f"from refs/heads/{branch}^0")
        for name, content in files.items():
            if content.startswith("commit:"):
                lines.append(f"M 160000 {content.removeprefix('commit:')} {name}")
                continue
            mode = "120000" if content.startswith("->") else "100644"
            data = content.removeprefix("->")
            lines += [f"M {mode} inline {name}", f"data {len(data.encode())}", data]
        git(bare, "fast-import", "--quiet", "--force", given="\n".join([*lines, ""]).encode())
        return git(bare, "rev-parse", f"refs/heads/{branch}")


@contextmanager
def git_server(folder: Path, host: str = "127.0.0.1") -> Iterator[GitServer]:
    """Serve the repositories of a folder, at an address of this machine, for as long as the context
    lasts.
    """
    served = GitServer(folder=folder / "repositories", host=host)
    served.folder.mkdir()
    over = Event()

    class Handler(_Handler):
        server_side = served
        is_over = over

    server = ThreadingHTTPServer((host, 0), Handler)
    served.port = server.server_address[1]
    served.certificates, chain = certificates(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    # The handshake in the thread of its connection: one that never makes it holds up nobody.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield served
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_side: GitServer
    is_over: Event

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ssl.SSLError):
            """Whoever asked is gone, or did not trust us."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        kind, _, credential = self.headers.get("Authorization", "").partition(" ")
        given = base64.b64decode(credential).decode() if kind == "Basic" else ""
        self.server_side.asked.append((parts.path, given))
        if parts.path.startswith("/slow/"):
            self.is_over.wait(60)
        elif parts.path.startswith("/moved/"):
            query = f"?{parts.query}" if parts.query else ""
            self.send_response(302)
            rest = parts.path.removeprefix("/moved/").partition("/")[2]
            self.send_header("Location", f"{self.server_side.moved}/{rest}{query}")
            self._end()
        elif parts.path.startswith("/private/") and given != f"{USERNAME}:{TOKEN}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self._end()
        elif parts.path.endswith("/info/lfs/objects/batch"):
            self._lfs_batch()
        elif parts.path.startswith("/lfs/"):
            self.send_response(200)
            self._end(self.server_side.lfs[parts.path.removeprefix("/lfs/")])
        else:
            # Decoded, as CGI has it.
            self._backend(unquote(parts.path), parts.query)

    def _lfs_batch(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        where = self.server_side.lfs_url or self.server_side.url("lfs")
        objects = [
            {"oid": each["oid"], "actions": {"download": {"href": f"{where}/{each['oid']}"}}}
            for each in asked["objects"]
            if each["oid"] in self.server_side.lfs
        ]
        self.send_response(200)
        self._end(json.dumps({"objects": objects}).encode())

    def _backend(self, path: str, query: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = subprocess.run(
            ["git", "http-backend"],
            env=GIT
            | {
                "GIT_PROJECT_ROOT": str(self.server_side.folder),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "CONTENT_LENGTH": str(len(body)),
            },
            input=body,
            capture_output=True,
            # It ends with an error where it answers with one.
            check=False,
        ).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().splitlines()]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self._end(content)

    def _end(self, content: bytes = b"") -> None:
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
