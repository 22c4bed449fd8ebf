"""Measure the gateway: `python -m benchmarks.gateway`, from the root of the checkout.

Beside the bare upstream and beside configurable-http-proxy (JupyterHub's proxy, which authorises
nothing), in front of the same upstream on TCP, in the same run, taking turns in every round; the
last column is the median of the rounds' own ratios. Wants `wrk`, `node` and `npm`; uses the
loopback interface only. `--chp FOLDER` names a folder in which the proxy is or will be installed.
"""

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import psutil

from benchmarks.gateway.client import download, latency, upload
from benchmarks.gateway.gateway import TICKET

HERE = Path(__file__).parent
GIB = 2**30
IN_FLIGHT = (1, 8, 32)
# What a browser sends along, about.
HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "application/json",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "Cookie": f"_xsrf=2|a1b2c3d4|0123456789abcdef|1700000000; submarine-ticket={TICKET}",
}


class Target:
    """One server under measurement."""

    def __init__(self, name: str, port: int, base: str, process: psutil.Process) -> None:
        self.name = name
        self.port = port
        self.base = base
        self.process = process

    def request(self, path: str, *, method: str = "GET", **more: str) -> bytes:
        headers = {"Host": f"127.0.0.1:{self.port}", **HEADERS, **more}
        lines = [f"{method} {self.base}{path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode()

    def rate(self, connections: int, seconds: float) -> float:
        """Requests per second, every one of them answered with 2xx."""
        headers = [part for k, v in HEADERS.items() for part in ("-H", f"{k}: {v}")]
        output = subprocess.run(
            [
                *("wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", *headers),
                f"http://127.0.0.1:{self.port}{self.base}small",
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert "Non-2xx" not in output, output
        assert "Socket errors" not in output, output
        found = re.search(r"Requests/sec:\s+([\d.]+)", output)
        assert found, output
        return float(found[1])

    @property
    def rss(self) -> float:
        """Resident memory in MiB."""
        return self.process.memory_info().rss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="per point and round")
    parser.add_argument("--size", type=int, default=GIB, help="bytes of a download")
    parser.add_argument("--chp", type=Path, help="folder of configurable-http-proxy")
    options = parser.parse_args()
    with ExitStack() as stack:
        targets = _start_all(stack, options.chp)
        _measure(targets, options.rounds, options.seconds, options.size)


def _start_all(stack: ExitStack, chp_folder: Path | None) -> list[Target]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    session = uuid4()
    base = f"/session/{session}/"
    up, tcp, unix, chp, api = _free_ports(5)
    path = str(folder / "upstream.sock")
    python = sys.executable

    def start(name: str, port: int, *command: str, **environment: str) -> Target:
        process = stack.enter_context(_process(folder / f"{name}.log", command, environment))
        _await_port(port)
        return Target(name, port, base, process)

    upstream = start("bare upstream", up, python, str(HERE / "upstream.py"), str(up))
    stack.enter_context(
        _process(folder / "upstream.log", (python, str(HERE / "upstream.py"), path), {})
    )
    gateway = (python, "-m", "benchmarks.gateway.gateway")
    by_tcp = start("gateway", tcp, *gateway, str(tcp), f"http://127.0.0.1:{up}", str(session))
    by_unix = start("gateway, Unix socket", unix, *gateway, str(unix), f"unix:{path}", str(session))
    node = _install_chp(chp_folder or folder / "chp")
    other = start(
        "configurable-http-proxy",
        chp,
        *(*node, "--ip", "127.0.0.1", "--port", str(chp)),
        *("--api-ip", "127.0.0.1", "--api-port", str(api)),
        CONFIGPROXY_AUTH_TOKEN="benchmark",  # noqa: S106 - a name on the loopback
    )
    _await_port(api)
    _add_route(api, base, f"http://127.0.0.1:{up}")
    return [upstream, by_tcp, by_unix, other]


def _measure(targets: list[Target], rounds: int, seconds: float, size: int) -> None:
    bare, ours, _, theirs = targets
    rss_before = {each.name: each.rss for each in targets}

    points: list[tuple[str, Callable[[Target], float]]] = [
        *((f"requests/s, {n} in flight", _rate(n, seconds)) for n in IN_FLIGHT),
        (f"download of {size >> 20} MiB, MiB/s", lambda target: _download(target, size)),
        (f"upload of {size >> 20} MiB, MiB/s", lambda target: _upload(target, size)),
    ]
    results: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for target in targets:
        target.rate(8, 1)  # warm
    for _ in range(rounds):
        for target in targets:
            taken = latency(target.port, target.request("small"), count=300, pause=0.003)
            results["latency p50, ms"][target.name].append(taken.p50)
            results["latency p95, ms"][target.name].append(taken.p95)
        for point, measure in points:
            for target in targets:
                results[point][target.name].append(measure(target))
    print("| | " + " | ".join(target.name for target in targets) + " | gateway to proxy |")
    print("| --- |" + " --: |" * (len(targets) + 1))
    for point, values in results.items():
        medians = {name: statistics.median(each) for name, each in values.items()}
        digits = 2 if "latency" in point else 0
        row = " | ".join(f"{medians[target.name]:.{digits}f}" for target in targets)
        if "latency" in point:
            added = [medians[each.name] - medians[bare.name] for each in (ours, theirs)]
            note = f"+{added[0]:.2f} to +{added[1]:.2f} ms"
        else:
            pairs = zip(values[ours.name], values[theirs.name], strict=True)
            note = f"{statistics.median(a / b for a, b in pairs):.2f} x"
        print(f"| {point} | {row} | {note} |")
    for label, before in (("at start", True), ("after load", False)):
        rss = [rss_before[each.name] if before else each.rss for each in targets]
        ratio = rss[1] / rss[3]
        print(
            f"| RSS {label}, MiB | " + " | ".join(f"{v:.0f}" for v in rss) + f" | {ratio:.2f} x |"
        )


def _rate(connections: int, seconds: float) -> Callable[[Target], float]:
    return lambda target: target.rate(connections, seconds)


def _download(target: Target, size: int) -> float:
    return download(target.port, target.request(f"bytes/{size}"))


def _upload(target: Target, size: int) -> float:
    headers = {"Content-Length": str(size), "Origin": f"http://127.0.0.1:{target.port}"}
    return upload(target.port, target.request("files/a", method="PUT", **headers), size)


@contextmanager
def _process(
    log: Path, command: tuple[str, ...], environment: dict[str, str]
) -> Iterator[psutil.Process]:
    with log.open("wb") as output:
        process = psutil.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **environment}
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [each.getsockname()[1] for each in sockets]


def _await_port(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)  # noqa: TID251 - a process to be measured starts
        else:
            return
    raise TimeoutError(port)


def _install_chp(folder: Path) -> tuple[str, str]:
    script = folder / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--no-fund", "--no-audit", "configurable-http-proxy"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
    return shutil.which("node") or "node", str(script)


def _add_route(api_port: int, base: str, target: str) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{api_port}/api/routes{base.rstrip('/')}",
        data=json.dumps({"target": target}).encode(),
        headers={"Authorization": "token benchmark"},
        method="POST",
    )
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - loopback


if __name__ == "__main__":
    main()
