"""Stands in for `jupyter-lab` where a test is about the backend: starts at once, and does as told.

Run as `python -I -S standin.py <behaviour> <the arguments of jupyter-lab>`.
"""

import os
import signal
import socket
import sys
from pathlib import Path

token = os.environ["JUPYTER_TOKEN"]
behaviour = sys.argv[1]
options = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[2:])


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def serve() -> None:
    """Answer as Jupyter does, log what comes after `say/`, and write and read files."""
    prefix = f"GET {options['ServerApp.base_url']}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(options["ServerApp.sock"])
        server.listen()
        while True:
            connection, _ = server.accept()
            with connection:
                request = connection.recv(65536).decode()
                allowed = f"Authorization: token {token}\r\n" in request
                if request.startswith(f"{prefix}say/"):
                    say(request.split()[1].rpartition("/")[2])
                    known, answer = True, ""
                elif request.startswith((f"{prefix}read/", f"{prefix}write/")):
                    known, answer = use_file(*request.removeprefix(prefix).split()[0].split("/"))
                else:
                    known, answer = allowed and request.startswith(f"{prefix}api/status "), ""
                    if not allowed:
                        say("refused")
                status = 200 if known else 403
                connection.sendall(f"HTTP/1.1 {status} Said\r\n\r\n{answer}".encode())


def use_file(action: str, *words: str) -> tuple[bool, str]:
    """Write a word to a path below the home, or read what is there; whether that went well."""
    try:
        if action == "read":
            return True, Path(*words).read_text()
        Path(*words[1:]).write_text(words[0])
    except OSError as error:
        say(str(error))
        return False, ""
    return True, ""


def bear(name: str, environment: dict[str, str]) -> None:
    """Start a process that has left its session and its parent, and write down its pid."""
    if os.fork() == 0:
        os.setsid()
        if pid := os.fork():
            Path(f"{name}.new").write_text(str(pid))
            Path(f"{name}.new").rename(name)
            os._exit(0)
        os.execve("/bin/sleep", ["sleep", "300"], environment)  # noqa: S606
    os.wait()


match behaviour:
    case "obeys":
        serve()
    case "refuses":
        token = "another"
        serve()
    case "exits":
        say("No such option.")
        sys.exit(3)
    case "never answers":
        signal.pause()
    case "ignores SIGTERM":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        serve()
    case "has an orphan":
        bear("orphan", dict(os.environ))
        serve()
    case "has an unmarked orphan":
        bear("orphan", {})
        serve()
    case "tells its token":
        say(f"whole {token}")
        os.write(1, f"half {token[:10]}".encode())
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.pause()
        os.write(1, f"{token[10:]}\n".encode())
        serve()
    case "shows what it has":
        Path("environment").write_text("\n".join(f"{k}={v}" for k, v in os.environ.items()))
        Path("descriptors").write_text(
            "\n".join(str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.exists())
        )
        Path("signals").write_text(Path("/proc/self/status").read_text())
        serve()
    case "writes much":
        line = b"x" * 99 + b"\n"
        for _ in range(120):
            os.write(1, line * 1000)
        os.write(1, b"last line\n")
        serve()
    case _:
        raise ValueError(behaviour)
