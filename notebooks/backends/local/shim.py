"""The process that looks after one run: starts its server, sees it ready, keeps its log, ends it.

Run as `python -I -S shim.py <run folder> <lock fd>`, with the server's environment and only the
standard library. It outlives the worker that started it. What it knows is in the run's state file,
replaced whole; that it lives is told by the lock it holds, never by its pid. SIGTERM stops the run.
"""

import ctypes
import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

RUN = "run.json"
STATE = "state.json"
STOPPED = "stopped"
LOG = "server.log"
OLDER_LOG = "server.log.1"

LOG_LIMIT = 5 * 1024 * 1024
CHUNK = 64 * 1024

PROBE_INTERVAL = 0.02
PATIENT_PROBE_INTERVAL = 0.25
PATIENT_AFTER = 10.0
PROBE_TIMEOUT = 5.0

# Signals between two rounds of killing: what dies may leave orphans that come to us.
KILL_INTERVAL = 0.05
KILL_INTERVAL_LIMIT = 2.0

PR_SET_PDEATHSIG = 1
# What Python ignores or we handle, and what a shell ignores for what it starts in the background:
# kernels are interrupted by SIGINT.
DEFAULTED = signal.SIGPIPE, signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    folder, lock = Path(sys.argv[1]), int(sys.argv[2])
    # The server and its kernels must not hold the lock: the run would never be seen to end.
    os.set_inheritable(lock, False)  # noqa: FBT003
    # Leave the one who started us: it waits for this process only, and reaps it.
    if os.fork():
        os._exit(0)
    shim = Shim(folder)
    shim.run()
    # Not left to the exit: whoever looks because of the hint must find the run ended.
    fcntl.flock(lock, fcntl.LOCK_UN)
    shim.tell()


class Log:
    """The server's output without its token, in one file and one older file."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        self._path = folder / LOG
        self._older = folder / OLDER_LOG
        self._secret = secret
        self._held = b""
        self._file = self._path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        data = (self._held + data).replace(self._secret, b"[token]")
        # The end may be the first half of the token: wait for what follows.
        cut = len(data) - _overlap(data, self._secret)
        self._held = data[cut:]
        self._append(data[:cut])

    def close(self) -> None:
        self._append(self._held)
        self._file.close()

    def _append(self, data: bytes) -> None:
        # A full disk costs lines of the log, not the session.
        with suppress(OSError):
            if self._file.tell() + len(data) > LOG_LIMIT:
                self._path.rename(self._older)
                self._file.close()
                self._file = self._path.open("ab", buffering=0)
            self._file.write(data)


class Shim:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        run = json.loads((folder / RUN).read_bytes())
        self._key = f"{run['session_id']} {run['run_id']}"
        self._argv: list[str] = run["argv"]
        self._home: str = run["home"]
        self._socket = Path(run["socket"])
        self._watch: str = run["watch"]
        self._grace: float = run["grace"]
        token = os.environ["JUPYTER_TOKEN"].encode()
        self._request = (
            f"GET {run['base_url']}api/status HTTP/1.0\r\n"
            f"Host: localhost\r\nAuthorization: token {token.decode()}\r\n\r\n"
        ).encode()
        self._log = Log(folder, token)
        self._state: dict[str, float] = {"pid": os.getpid()}
        self._selector = selectors.DefaultSelector()
        self._server = 0
        self._has_children = False
        self._probe: socket.socket | None = None
        self._probe_at = 0.0
        self._started_at = 0.0
        self._stop_asked = False
        self._stop_at: float | None = None
        self._output = -1

    def run(self) -> None:
        self._listen()
        # First the pid, then the look for the mark: `stop` does it the other way round,
        # so that one of the two sees the other.
        self._save()
        self.tell()
        if not (self._folder / STOPPED).exists():
            self._start_server()
            self._serve()
            self._kill_all()
            self._drain()
        self._log.close()
        self._socket.unlink(missing_ok=True)
        with suppress(OSError):
            self._save(ended=time.time())

    def tell(self) -> None:
        """Hint to whoever watches that this run has changed."""
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as watch,
        ):
            watch.settimeout(0)
            watch.sendto(self._key.encode(), self._watch)

    def _listen(self) -> None:
        """Have signals wake the selector, and orphans of the server come to us."""
        reader, writer = socket.socketpair()
        reader.settimeout(0)
        writer.settimeout(0)
        self._wakeup = (reader, writer)
        self._selector.register(reader, selectors.EVENT_READ, self._clear_wakeup)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._ask_to_stop())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if sys.platform == "linux":
            _prctl(PR_SET_CHILD_SUBREAPER, 1)

    def _ask_to_stop(self) -> None:
        self._stop_asked = True

    def _clear_wakeup(self) -> None:
        with suppress(BlockingIOError):
            while self._wakeup[0].recv(CHUNK):
                pass

    def _start_server(self) -> None:
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        shim = os.getpid()
        # A SIGTERM to the server must not meet our handler, before it is the server.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self._server = os.fork()
        if self._server == 0:
            self._become_server(output, shim)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.close(output)
        self._selector.register(self._output, selectors.EVENT_READ, self._pump)
        self._has_children = True
        self._started_at = self._probe_at = time.monotonic()
        self._state |= {"server": self._server, "starting_server": time.time()}
        # On a full disk the session starts all the same.
        with suppress(OSError):
            self._save()
        self.tell()

    def _become_server(self, output: int, shim: int) -> None:
        try:
            os.dup2(output, 1)
            os.dup2(output, 2)
            if sys.platform == "linux":
                # Without its shim the server would go on with nobody looking after it.
                _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != shim:
                    os._exit(1)
            # What is ignored or blocked here would stay so in the server.
            for number in DEFAULTED:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            os.chdir(self._home)
            os.execv(self._argv[0], self._argv)  # noqa: S606
        except OSError as error:
            os.write(2, f"The server could not be started: {error}\n".encode())
        finally:
            os._exit(127)

    def _serve(self) -> None:
        """Go on until the server has ended, by itself or because it was told to."""
        while "exit_code" not in self._state:
            self._wait(self._next_step())
            self._reap()

    def _next_step(self) -> float | None:
        """Do what is due; seconds until something will be, None if only an event matters."""
        now = time.monotonic()
        if self._stop_asked and self._stop_at is None:
            self._stop_at = now
            os.kill(self._server, signal.SIGTERM)
            self.tell()
        if self._stop_at is not None:
            left = self._stop_at + self._grace - now
            if left > 0:
                return left
            self._kill_descendants()
            return KILL_INTERVAL_LIMIT
        if "ready" in self._state:
            return None
        if now >= self._probe_at:
            self._ask()
        return max(0.0, self._probe_at - now)

    def _ask(self) -> None:
        """Ask the server for its status; `_hear` gets the answer."""
        self._end_probe()
        probe = socket.socket(socket.AF_UNIX)
        probe.settimeout(0)
        try:
            probe.connect(str(self._socket))
            probe.send(self._request)
        except OSError:
            probe.close()
            return
        self._probe = probe
        self._probe_at = time.monotonic() + PROBE_TIMEOUT
        self._selector.register(probe, selectors.EVENT_READ, self._hear)

    def _hear(self) -> None:
        answer = b""
        if self._probe:
            with suppress(OSError):
                answer = self._probe.recv(CHUNK)
        self._end_probe()
        if answer.split(b" ")[1:2] == [b"200"]:
            # On a full disk it is not said to be ready, and asked again.
            with suppress(OSError):
                self._save(ready=time.time())
                self.tell()

    def _end_probe(self) -> None:
        if self._probe:
            self._selector.unregister(self._probe)
            self._probe.close()
            self._probe = None
        now = time.monotonic()
        young = now - self._started_at < PATIENT_AFTER
        self._probe_at = now + (PROBE_INTERVAL if young else PATIENT_PROBE_INTERVAL)

    def _kill_all(self) -> None:
        """Kill until no child is left, which includes every orphan of the server."""
        interval = KILL_INTERVAL
        while self._has_children:
            self._kill_descendants()
            self._wait(interval)
            self._reap()
            interval = min(2 * interval, KILL_INTERVAL_LIMIT)

    def _kill_descendants(self) -> None:
        for pid in _descendants(os.getpid()):
            # Gone already, or made another user's by sudo: there the loop goes on.
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._server:
                    self._end_probe()
                    self._state["exit_code"] = os.waitstatus_to_exitcode(status)
        self._has_children = False

    def _pump(self) -> None:
        data = os.read(self._output, CHUNK)
        if data:
            self._log.write(data)
        else:
            self._selector.unregister(self._output)

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while data := os.read(self._output, CHUNK):
                self._log.write(data)

    def _wait(self, timeout: float | None) -> None:
        for key, _ in self._selector.select(timeout):
            key.data()

    def _save(self, **changes: float) -> None:
        state = self._state | changes
        new = self._folder / f"{STATE}.new"
        new.write_text(json.dumps(state))
        new.rename(self._folder / STATE)
        self._state = state


def _overlap(data: bytes, secret: bytes) -> int:
    """Tell how many bytes at the end of `data` may be the beginning of `secret`."""
    longest = min(len(data), len(secret) - 1)
    return next((n for n in range(longest, 0, -1) if data.endswith(secret[:n])), 0)


def _descendants(ancestor: int) -> list[int]:
    """Find the children of a process, their children and so on."""
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    found = [ancestor]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def _processes() -> list[tuple[int, int]]:
    """List the pid and the parent's pid of every process."""
    found = []
    if sys.platform == "linux":
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # The name, in brackets, may itself hold blanks and brackets.
                head, _, tail = stat.read_text(errors="replace").rpartition(")")
                found.append((int(head.split()[0]), int(tail.split()[1])))
    else:
        with os.popen("ps -axo pid=,ppid=") as lines:  # noqa: S605, S607
            for line in lines:
                pid, parent = line.split()
                found.append((int(pid), int(parent)))
    return found


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    main()
