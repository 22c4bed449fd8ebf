"""A look at all runs costs what is there now, not what there ever was."""

import time

from tests.contracts.backend_suite import a_spec
from tests.notebooks.backends.local.conftest import LocalSite


def cost_of_a_look(site: LocalSite) -> float:
    """The best of many: what the look itself takes, without what else the machine does."""
    costs = []
    for _ in range(100):
        before = time.perf_counter()
        site.backend.observe_all()
        costs.append(time.perf_counter() - before)
    return min(costs)


def test_two_hundred_past_runs_do_not_slow_a_look(site: LocalSite) -> None:
    present = site.start_ready()
    before = cost_of_a_look(site)
    for _ in range(200):
        site.backend.stop(a_spec(session_id=present.key.session_id).key)
    assert list(site.backend.observe_all()) == [present.key]
    assert cost_of_a_look(site) < 5 * before


def test_files_of_others_among_the_marks_are_passed_over(site: LocalSite) -> None:
    spec = site.start_ready()
    (site.folder / "data/live/.DS_Store").touch()
    (site.folder / "data/live/notes.txt").touch()
    assert list(site.backend.observe_all()) == [spec.key]
