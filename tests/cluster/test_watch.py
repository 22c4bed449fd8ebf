"""What happens to pods is told whatever happens to the API, and by another when one is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection

from notebooks.backends.contract import RunKey, RunState
from notebooks.backends.kubernetes import api as api_module
from notebooks.backends.kubernetes import reflector
from notebooks.backends.kubernetes.api import Api, Json
from notebooks.backends.kubernetes.names import run_labels, run_name, selector
from notebooks.backends.kubernetes.observer import Observer
from notebooks.backends.kubernetes.watch import Watch
from notebooks.states import SessionStatus as S
from submarine_site.core.heartbeat import Heartbeat, seconds_since
from tests.cluster.cluster import NOTEBOOK, Administrator
from tests.cluster.proxy import Proxy, between
from tests.contracts.eventually import eventually
from tests.factories import SessionFactory
from tests.listener import Listener
from tests.sessions import key_of, state_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


def a_key() -> RunKey:
    return RunKey(session_id=uuid4(), run_id=uuid4())


def begin(admin: Administrator, key: RunKey, *, scheduled: bool = False) -> None:
    """Make the pod of a run; unless it is scheduled, nothing more ever happens to it."""
    pod: Json = {
        "metadata": {"name": run_name(key), "labels": run_labels(key, "default")},
        "spec": {
            "schedulerName": "default-scheduler" if scheduled else "nobody",
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "notebook", "image": NOTEBOOK, "command": ["sleep", "900"]}],
        },
    }
    admin.api.create("pods", pod)


def remove(admin: Administrator, key: RunKey) -> None:
    admin.api.delete(f"pods/{run_name(key)}", grace_seconds=0)


@pytest.fixture(autouse=True)
def _clean(admin: Administrator) -> Iterator[None]:
    yield
    for name in admin.names("pods"):
        admin.api.delete(f"pods/{name}", grace_seconds=0)


@pytest.fixture
def through(kubeconfig: Path, tmp_path: Path) -> Iterator[tuple[Proxy, Path]]:
    with between(kubeconfig, tmp_path) as found:
        yield found


@pytest.fixture
def proxy(through: tuple[Proxy, Path]) -> Proxy:
    return through[0]


@pytest.fixture
def watching(through: tuple[Proxy, Path]) -> Watch:
    """It reaches the cluster through the proxy."""
    api = Api(kubeconfig=str(through[1]))
    return Watch(api, selector("default"), Observer(api).look)


@pytest.fixture
def listener(watching: Watch) -> Iterator[Listener]:
    with closing(watching.changes()) as changes, closing(Listener(changes)) as listener:
        yield listener


def is_current(watching: Watch) -> bool:
    return watching._pods.is_current and watching._events.is_current


def test_the_life_of_a_pod_is_told(admin: Administrator, listener: Listener) -> None:
    key = a_key()
    begin(admin, key, scheduled=True)
    listener.until(lambda: listener.state(key) is RunState.READY, within=60)
    seen = listener.last(key)
    assert seen is not None
    assert seen.address.startswith("http://10.")
    admin.api.delete(f"pods/{run_name(key)}")
    listener.until(lambda: listener.last(key) is None, within=60)


def test_what_happened_while_connections_were_refused_is_told(
    admin: Administrator, proxy: Proxy, watching: Watch, listener: Listener
) -> None:
    kept, deleted, made = a_key(), a_key(), a_key()
    begin(admin, kept)
    begin(admin, deleted)
    listener.until(lambda: listener.knows(kept) and listener.knows(deleted))
    listener.until(lambda: is_current(watching))
    proxy.refuse()
    eventually(lambda: not watching._pods.is_current and not watching._events.is_current)
    heard = len(listener.told)
    waiting = listener.listening(lambda: listener.knows(made) and listener.last(deleted) is None)
    remove(admin, deleted)
    begin(admin, made)
    eventually(lambda: watching._pods._failures > 3)
    assert len(listener.told) == heard
    proxy.restore()
    waiting.result(30)
    assert listener.times(kept) == 1
    listener.until(lambda: is_current(watching))


def test_what_happened_while_nothing_came_through_is_told(
    admin: Administrator,
    proxy: Proxy,
    watching: Watch,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reflector, "WATCH_SECONDS", 2)
    monkeypatch.setattr(reflector, "CURRENT_SECONDS", 5.0)
    monkeypatch.setattr(api_module, "READ_SECONDS", 4.0)
    kept, deleted, made = a_key(), a_key(), a_key()
    begin(admin, kept)
    begin(admin, deleted)
    listener.until(lambda: listener.knows(kept) and listener.knows(deleted))
    proxy.hang()
    remove(admin, deleted)
    begin(admin, made)
    eventually(lambda: watching._pods._failures > 0)
    assert not is_current(watching)
    assert listener.last(deleted) is not None
    assert not listener.knows(made)
    proxy.restore()
    listener.until(lambda: listener.knows(made) and listener.last(deleted) is None, within=60)
    assert listener.times(kept) == 1


def test_what_happened_before_the_apis_memory_begins_is_told(
    admin: Administrator, proxy: Proxy, watching: Watch, listener: Listener
) -> None:
    kept, deleted, made = a_key(), a_key(), a_key()
    begin(admin, kept)
    begin(admin, deleted)
    listener.until(lambda: listener.knows(kept) and listener.knows(deleted))
    listener.until(lambda: is_current(watching))
    proxy.refuse()
    eventually(lambda: not watching._pods.is_current and not watching._events.is_current)
    remove(admin, deleted)
    begin(admin, made)
    # The first versions of all, which no API server remembers for long.
    watching._pods._version = watching._events._version = "1"
    proxy.restore()
    listener.until(lambda: listener.knows(made) and listener.last(deleted) is None)
    assert listener.times(kept) == 1
    assert int(watching._pods._version) > 1


# Of two processes.


@pytest.fixture
def watchers(kubeconfig: Path, tmp_path: Path, db: None) -> Iterator[list["Process"]]:
    processes = [Process(kubeconfig, tmp_path / f"{number}.log") for number in range(2)]
    yield processes
    for process in processes:
        process.kill()


class Process:
    def __init__(self, kubeconfig: Path, log: Path) -> None:
        database = urlsplit(os.environ["DATABASE_URL"])
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "watcher"],
                cwd=settings.BASE_DIR,
                env=os.environ
                | {
                    "DJANGO_SETTINGS_MODULE": "submarine_site.settings.quickstart",
                    "DATABASE_URL": database._replace(
                        path=f"/{connection.settings_dict['NAME']}"
                    ).geturl(),
                    "REDIS_URL": settings.REDIS_URL,
                    "SECRET_KEY": settings.SECRET_KEY,
                    "SUBMARINE_PAGES_URL": settings.PAGES_URL,
                    "SUBMARINE_GATEWAY_URL": settings.GATEWAY_URL,
                    "SUBMARINE_BACKEND": "kubernetes",
                    "SUBMARINE_KUBERNETES_NAMESPACE": namespace_of(kubeconfig),
                    "KUBECONFIG": str(kubeconfig),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def is_watching(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        return "watching" in self._log.read_text()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(20)


def namespace_of(kubeconfig: Path) -> str:
    return Api(kubeconfig=str(kubeconfig)).namespace


@pytest.mark.django_db(transaction=True)
def test_when_the_watcher_is_killed_another_takes_over(
    admin: Administrator, watchers: list[Process]
) -> None:
    leader = eventually(lambda: next((each for each in watchers if each.is_watching()), None))
    [other] = [each for each in watchers if each is not leader]
    before, after = [SessionFactory.create(status=S.STARTING) for _ in range(2)]
    begin(admin, key_of(before), scheduled=True)
    eventually(lambda: state_of(before) == S.RUNNING, within=60)
    assert not other.is_watching()
    leader.kill()
    begin(admin, key_of(after), scheduled=True)
    eventually(lambda: state_of(after) == S.RUNNING, within=60)
    assert other.is_watching()
    # It beats once it has dealt with what it was told first.
    eventually(lambda: (silence := seconds_since(Heartbeat.WATCHER)) is not None and silence < 1)
