"""Ending: gracefully, by force, by itself, and when something was killed. Nothing ever remains."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import psutil
import pytest

from notebooks.backends.contract import Phase, RunState, SessionSpec
from notebooks.backends.local import backend, processes
from tests.contracts.backend_suite import home_of
from tests.contracts.eventually import eventually
from tests.notebooks.backends.local.conftest import LocalSite, dig

MakeSite = Callable[[str], LocalSite]


def orphan(site: LocalSite, spec: SessionSpec) -> psutil.Process:
    """Find the process that a stand-in has born."""
    path = site.home(home_of(spec)) / "orphan"
    eventually(path.exists)
    return psutil.Process(int(path.read_text()))


def is_dead(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def kill(site: LocalSite, spec: SessionSpec, victim: str) -> None:
    shim, server = site.shim(spec.key), site.server(spec.key)
    if victim in {"shim", "both"}:
        shim.kill()
    if victim in {"server", "both"}:
        server.kill()


def test_a_stop_does_not_wait(local_site: MakeSite) -> None:
    site = local_site("ignores SIGTERM")
    spec = site.start_ready()
    before = time.monotonic()
    site.backend.stop(spec.key)
    assert time.monotonic() - before < 5
    kill(site, spec, "server")


def test_what_its_user_left_does_not_keep_a_run_or_its_home(site: LocalSite) -> None:
    spec = site.start_ready()
    sockets = site.run(spec.key).sockets
    dig(sockets, site.folder)
    dig(site.home(home_of(spec)), site.folder)
    site.backend.stop(spec.key)
    site.await_gone(spec.key)
    assert site.backend.observe_all() == {}
    assert not sockets.exists()
    site.backend.delete_volume(home_of(spec))
    assert list((site.folder / "data/discarded").iterdir()) == []


def test_a_server_that_ignores_the_request_is_killed_after_the_grace(
    local_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "STOP_GRACE", 0.5)
    site = local_site("ignores SIGTERM")
    spec = site.start_ready()
    before = time.monotonic()
    site.backend.stop(spec.key)
    seen = site.backend.observe(spec.key)
    assert seen is not None
    assert seen.state is RunState.STOPPING
    site.await_gone(spec.key)
    assert 0.5 <= time.monotonic() - before < 5


def test_a_stop_that_comes_at_any_moment_of_a_start_is_heard(site: LocalSite) -> None:
    specs = [site.start() for _ in range(10)]
    for delay, spec in enumerate(specs):
        Event().wait(delay / 200)
        site.backend.stop(spec.key)
    for spec in specs:
        site.await_gone(spec.key)


@pytest.mark.parametrize("behaviour", ["has an orphan", "has an unmarked orphan"])
@pytest.mark.parametrize("how", ["stopped", "ended"])
def test_what_left_the_servers_session_is_killed_with_it(
    local_site: MakeSite, behaviour: str, how: str
) -> None:
    site = local_site(behaviour)
    spec = site.start_ready()
    process = orphan(site, spec)
    if how == "stopped":
        site.backend.stop(spec.key)
        site.await_gone(spec.key)
    else:
        site.crash(spec.key)
    assert is_dead(process)


def test_what_outlived_a_killed_shim_is_killed_by_a_stop(local_site: MakeSite) -> None:
    site = local_site("has an orphan")
    spec = site.start_ready()
    process = orphan(site, spec)
    kill(site, spec, "shim")
    site.await_state(spec.key, RunState.EXITED)
    assert not is_dead(process)
    site.backend.stop(spec.key)
    site.await_gone(spec.key)
    assert is_dead(process)


def test_a_run_is_not_gone_while_something_of_it_lives(
    local_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = local_site("has an orphan")
    spec = site.start_ready()
    process = orphan(site, spec)
    kill(site, spec, "shim")
    site.await_state(spec.key, RunState.EXITED)
    with monkeypatch.context() as patch:
        patch.setattr(processes, "kill", lambda _: None)
        site.backend.stop(spec.key)
        seen = site.backend.observe(spec.key)
    assert seen is not None
    assert seen.state is RunState.STOPPING
    process.kill()
    site.await_gone(spec.key)


def test_a_server_that_ends_at_its_start_is_seen_with_its_code_and_log(
    local_site: MakeSite,
) -> None:
    site = local_site("exits")
    spec = site.start()
    seen = site.await_state(spec.key, RunState.EXITED)
    assert seen.exit_code == 3
    assert seen.failure_code == ""
    assert seen.phases[-1].phase is Phase.STARTING_SERVER
    assert seen.phases[-1].finished_at is not None
    assert site.backend.logs(spec.key, lines=1) == "No such option.\n"


def test_a_program_that_cannot_be_run_ends_with_the_reason_in_the_log(
    folder: Path, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o700)
    site = LocalSite(folder, program)
    spec = site.start()
    assert site.await_state(spec.key, RunState.EXITED).exit_code == 127
    assert "No such file or directory" in site.backend.logs(spec.key, lines=1)
    site.close()


def test_a_shim_told_to_end_by_the_system_ends_its_run_in_order(site: LocalSite) -> None:
    spec = site.start_ready()
    site.shim(spec.key).terminate()
    seen = site.await_state(spec.key, RunState.EXITED)
    assert seen.exit_code == -signal.SIGTERM
    eventually(lambda: site.processes(spec.key) == [])


@pytest.mark.parametrize("behaviour", ["never answers", "obeys"])
def test_a_killed_server_is_seen_with_its_signal(local_site: MakeSite, behaviour: str) -> None:
    site = local_site(behaviour)
    spec = site.start()
    kill(site, spec, "server")
    seen = site.await_state(spec.key, RunState.EXITED)
    assert seen.exit_code == -signal.SIGKILL
    assert seen.failure_code == ""
    eventually(lambda: site.processes(spec.key) == [])


@pytest.mark.parametrize("behaviour", ["never answers", "obeys"])
@pytest.mark.parametrize("victim", ["shim", "both"])
def test_a_run_whose_shim_was_killed_is_lost_with_its_server(
    local_site: MakeSite, behaviour: str, victim: str
) -> None:
    site = local_site(behaviour)
    spec = site.start()
    kill(site, spec, victim)
    seen = site.await_state(spec.key, RunState.EXITED)
    assert seen.exit_code is None
    assert seen.failure_code == "server_lost"
    eventually(lambda: site.processes(spec.key) == [])
    site.backend.start(spec)
    assert site.backend.observe(spec.key) == seen


@pytest.mark.parametrize("victim", ["shim", "server", "both"])
def test_a_run_that_is_killed_while_it_stops_is_gone(local_site: MakeSite, victim: str) -> None:
    site = local_site("ignores SIGTERM")
    spec = site.start_ready()
    site.backend.stop(spec.key)
    kill(site, spec, victim)
    site.await_gone(spec.key)
    assert site.processes(spec.key) == []


def test_the_sockets_of_a_run_are_removed_with_it(site: LocalSite) -> None:
    spec = site.start_ready()
    site.backend.stop(spec.key)
    site.await_gone(spec.key)
    assert list((site.folder / "run").iterdir()) == []


def test_a_shim_that_is_only_suspended_is_not_taken_for_dead(site: LocalSite) -> None:
    spec = site.start_ready()
    shim = site.shim(spec.key)
    os.kill(shim.pid, signal.SIGSTOP)
    seen = site.backend.observe(spec.key)
    os.kill(shim.pid, signal.SIGCONT)
    assert seen is not None
    assert seen.state is RunState.READY
