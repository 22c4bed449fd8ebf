"""An index of wheels that tests make themselves, served on loopback."""

import io
import ssl
import tarfile
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

from packaging.utils import canonicalize_name


def add_wheel(
    index: Path,
    name: str,
    version: str = "1.0",
    *,
    requires: Sequence[str] = (),
    files: Mapping[str, str | bytes] | None = None,
) -> None:
    """Put a wheel into the index: one module of its own name, unless other files are given."""
    stem = f"{name}-{version}"
    info = f"{stem}.dist-info"
    content: dict[str, str | bytes] = {
        **(files or {f"{name}.py": f"VERSION = {version!r}\n"}),
        f"{info}/METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
            + [f"Requires-Dist: {each}" for each in requires]
        ),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*content, f"{info}/RECORD"))
    with ZipFile(index / f"{stem}-py3-none-any.whl", "w") as wheel:
        for path, text in content.items():
            wheel.writestr(path, text)


def add_hostile_source(index: Path, name: str, code: str, version: str = "1.0") -> None:
    """A source distribution whose build runs `code`."""
    stem = f"{name}-{version}"
    files = {
        "pyproject.toml": (
            '[build-system]\nrequires = []\nbuild-backend = "made"\nbackend-path = ["."]\n'
        ),
        "made.py": code,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    with tarfile.open(index / f"{stem}.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


def add_ipykernel(index: Path, installed: Mapping[str, bytes]) -> None:
    """A wheel of `ipykernel` and all that it needs, with nothing in it that says so."""
    files = {path: data for path, data in installed.items() if ".dist-info/" not in path}
    add_wheel(index, "ipykernel", files=files)


@contextmanager
def served(
    index: Path,
    host: str = "127.0.0.1",
    *,
    wheels: threading.Event | None = None,
    chain: Path | None = None,
) -> Iterator[str]:
    """Serve the index, as PEP 503 has it; yields its address. Wheels are given out once `wheels` is
    set. With a certificate's `chain`, by https.
    """
    _write_pages(index)

    class Handler(_Quiet):
        gate = wheels

    handler = partial(Handler, directory=str(index))
    server = ThreadingHTTPServer((host, 0), handler)
    if chain is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if chain else 'http'}://{host}:{server.server_port}/simple/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    gate: threading.Event | None = None

    def do_GET(self) -> None:
        if self.gate is not None and self.path.endswith(".whl"):
            self.gate.wait(60)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def _write_pages(index: Path) -> None:
    pages: defaultdict[str, list[str]] = defaultdict(list)
    for path in index.glob("*-*.*"):
        digest = sha256(path.read_bytes()).hexdigest()
        link = f'<a href="../../{path.name}#sha256={digest}">{path.name}</a>'
        pages[canonicalize_name(path.name.partition("-")[0])].append(link)
    for name, links in pages.items():
        folder = index / "simple" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text("\n".join(links))


@contextmanager
def an_index(folder: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """An index of what the tests of builders install, and of what they fail at."""
    add_wheel(folder, "ipykernel")
    add_wheel(folder, "tiny")
    add_wheel(folder, "tiny", "2.0")
    add_wheel(folder, "one", requires=["tiny==1.0"])
    add_wheel(folder, "two", requires=["tiny==2.0"])
    add_wheel(folder, "big", files={"big.txt": "big" * 1024**2})
    add_hostile_source(folder, "eater", "eaten = bytearray(8 * 1024**3)")
    add_hostile_source(folder, "sleeper", "import signal\nsignal.pause()")
    with served(folder, host) as url:
        yield url
