"""Starting: once, whoever asks and however often; what is refused; what outlives its starter."""

import errno
import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest

from notebooks.backends.contract import Phase, RunState, SessionSpec
from notebooks.backends.local import backend
from notebooks.backends.local.backend import LocalBackend
from notebooks.backends.local.runs import Runs
from submarine_site.core.outside import BackendError, BackendRefused, BackendUnavailable
from tests.contracts.backend_suite import a_spec, home_of
from tests.contracts.eventually import eventually
from tests.notebooks.backends.local.conftest import LocalSite


def start_and_be_killed(backend: LocalBackend, spec: SessionSpec) -> None:
    backend.start(spec)
    os.kill(os.getpid(), signal.SIGKILL)


def raise_error(error: BaseException) -> None:
    raise error


def test_twenty_threads_that_start_one_run_give_one_server(site: LocalSite) -> None:
    spec = a_spec()
    site.backend.ensure_volume(home_of(spec))
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(site.backend.start, [spec] * 20))
    site.await_ready(spec.key)
    assert set(site.processes(spec.key)) == {site.shim(spec.key), site.server(spec.key)}


def test_eight_processes_that_start_one_run_give_one_server(site: LocalSite) -> None:
    spec = a_spec()
    site.backend.ensure_volume(home_of(spec))
    with ProcessPoolExecutor(8, mp_context=get_context("spawn")) as pool:
        list(pool.map(site.backend.start, [spec] * 8))
    site.await_ready(spec.key)
    assert set(site.processes(spec.key)) == {site.shim(spec.key), site.server(spec.key)}


def test_a_run_goes_on_when_the_worker_that_started_it_is_killed(site: LocalSite) -> None:
    spec = a_spec()
    site.backend.ensure_volume(home_of(spec))
    worker = get_context("spawn").Process(target=start_and_be_killed, args=(site.backend, spec))
    worker.start()
    worker.join(timeout=20)
    assert worker.exitcode == -signal.SIGKILL
    assert site.await_ready(spec.key).state is RunState.READY


def test_another_process_of_the_service_adopts_a_run_by_looking(site: LocalSite) -> None:
    spec = site.start_ready()
    other = site.another_backend()
    assert other.observe_all() == site.backend.observe_all()
    other.stop(spec.key)
    site.await_gone(spec.key)


def test_a_run_whose_worker_died_before_it_began_can_be_started_again(
    site: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(backend, "_spawn_shim", lambda *_: None)
        spec = site.start()
    assert site.backend.observe(spec.key) is None
    site.backend.start(spec)
    assert site.await_ready(spec.key).state is RunState.READY


def test_a_late_start_of_a_stopped_run_leaves_no_trace(site: LocalSite) -> None:
    spec = a_spec()
    site.backend.ensure_volume(home_of(spec))
    site.backend.stop(spec.key)
    site.backend.start(spec)
    assert site.run(spec.key).request() is None


def test_the_one_who_starts_has_no_child_left(site: LocalSite) -> None:
    spec = site.start_ready()
    children = psutil.Process().children()
    assert site.shim(spec.key) not in children
    assert psutil.STATUS_ZOMBIE not in [child.status() for child in children]


def test_a_server_that_never_answers_is_seen_starting_since_when(
    local_site: Callable[[str], LocalSite],
) -> None:
    site = local_site("never answers")
    spec = site.start()

    def phases() -> list[Phase]:
        seen = site.backend.observe(spec.key)
        assert seen is not None
        assert seen.state is RunState.STARTING
        return [phase.phase for phase in seen.phases]

    eventually(lambda: phases() == [Phase.PREPARING, Phase.STARTING_SERVER])
    seen = site.backend.observe(spec.key)
    assert seen is not None
    assert seen.phases[0].finished_at == seen.phases[1].started_at
    assert seen.phases[1].finished_at is None


def test_a_server_that_refuses_the_token_is_not_ready(
    local_site: Callable[[str], LocalSite],
) -> None:
    site = local_site("refuses")
    spec = site.start()
    eventually(lambda: "refused" in site.backend.logs(spec.key, lines=10))
    seen = site.backend.observe(spec.key)
    assert seen is not None
    assert seen.state is RunState.STARTING


def test_without_jupyter_a_start_is_refused(folder: Path) -> None:
    site = LocalSite(folder, folder / "no-such-jupyter")
    with pytest.raises(BackendRefused, match="There is no Jupyter") as refusal:
        site.start()
    assert refusal.value.code == "start_refused"
    site.close()


def test_a_data_folder_that_cannot_be_one_refuses_a_start(folder: Path) -> None:
    (folder / "data").write_text("a file")
    site = LocalSite(folder, Path("/bin/true"))
    with pytest.raises(BackendRefused, match="File exists") as refusal:
        site.backend.start(a_spec())
    assert refusal.value.code == "start_refused"


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, BackendRefused), (errno.EMFILE, BackendUnavailable)],
)
def test_a_full_disk_is_refused_and_what_may_pass_is_not(
    site: LocalSite,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    expected: type[BackendError],
) -> None:
    error = OSError(number, os.strerror(number))
    monkeypatch.setattr(Runs, "begin", lambda *_: raise_error(error))
    with pytest.raises(expected, match=os.strerror(number)):
        site.start()


def test_a_runtime_folder_with_too_long_a_path_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too long"):
        LocalBackend(data=tmp_path, runtime=tmp_path / ("x" * 60), jupyter=Path("/bin/true"))


def test_a_copy_of_the_data_has_no_run_that_lives(site: LocalSite) -> None:
    spec = site.start_ready()
    copy = site.folder / "copy"
    shutil.copytree(site.folder / "data", copy)
    seen = LocalBackend(data=copy, runtime=site.folder / "run", jupyter=site.jupyter).observe(
        spec.key
    )
    assert seen is not None
    assert seen.state is RunState.EXITED
    assert seen.failure_code == "server_lost"
