"""What changed about runs is told, whatever becomes of the connections over which it is heard."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from notebooks.backends.contract import Observed, RunKey, RunState
from notebooks.backends.kubernetes import cache, reflector, watch
from notebooks.backends.kubernetes.api import Api, Json
from notebooks.backends.kubernetes.names import run_labels, run_name, selector
from notebooks.backends.kubernetes.watch import Watch
from submarine_site.core.outside import BackendUnavailable
from tests.contracts.eventually import eventually
from tests.listener import SECONDS, Listener
from tests.notebooks.backends.kubernetes.apiserver import ApiServer, kubeconfig

UNAVAILABLE = {"kind": "Status", "code": 503, "reason": "ServiceUnavailable", "message": ""}
GONE = {"kind": "Status", "code": 410, "reason": "Gone", "message": "too old"}
FORBIDDEN = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"}


def a_key() -> RunKey:
    return RunKey(session_id=uuid4(), run_id=uuid4())


def a_pod(key: RunKey, *, uid: str = "", ready: bool = False, phase: str = "Running") -> Json:
    return {
        "metadata": {
            "name": run_name(key),
            "uid": uid or str(key.run_id),
            "labels": run_labels(key, "default"),
            "managedFields": [{"manager": "kubelet"}],
        },
        "spec": {
            "nodeName": "node",
            "containers": [{"name": "notebook", "image": "i", "env": [{"name": "A"}]}],
        },
        "status": {
            "phase": phase,
            "conditions": [
                {"type": "Ready", "status": "True" if ready else "False"},
                {"type": "ContainersReady", "status": "True" if phase == "Ready" else "False"},
            ],
        },
    }


def an_event(key: RunKey, message: str, *, name: str = "") -> Json:
    return {
        "metadata": {"name": name or str(uuid4())},
        "involvedObject": {"kind": "Pod", "name": run_name(key), "uid": str(key.run_id)},
        "reason": "Failed",
        "message": message,
    }


class Judge:
    """Says what a pod is by its phase; the messages of its events are the detail."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.judged: list[Json] = []

    def look(self, pod: Json, events: Sequence[Json]) -> Observed:
        self.judged.append(pod)
        if self.error:
            raise self.error
        labels, phase = pod["metadata"]["labels"], pod["status"]["phase"]
        state = RunState.EXITED if phase == "Failed" else RunState.STARTING
        return Observed(
            key=RunKey(
                session_id=UUID(labels["submarine-notebooks/session"]),
                run_id=UUID(labels["submarine-notebooks/run"]),
            ),
            state=RunState.READY if phase == "Ready" else state,
            failure_detail=" ".join(event["message"] for event in events),
        )


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(reflector, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(reflector, "SHORT_SECONDS", 0.01)
    monkeypatch.setattr(watch, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(watch, "CLOCK_SECONDS", 0.05)
    monkeypatch.setattr(watch, "RUSH_SECONDS", 0)
    monkeypatch.setattr(watch, "QUICK_SECONDS", 0)


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def api(server: ApiServer, tmp_path: Path) -> Iterator[Api]:
    with server.running() as address:
        yield Api(namespace="sessions", kubeconfig=str(kubeconfig(address, tmp_path)))


@pytest.fixture
def listener(api: Api, judge: Judge) -> Iterator[Listener]:
    changes = Watch(api, selector("default"), judge.look).changes()
    with closing(changes), closing(Listener(changes)) as listener:
        yield listener


def is_following(server: ApiServer) -> bool:
    return bool(server.watches("pods") and server.watches("events"))


# What is told.


def test_first_everything_that_is_there_is_told(server: ApiServer, listener: Listener) -> None:
    keys = [a_key() for _ in range(3)]
    for key in keys:
        server.put("pods", a_pod(key))
    listener.until(lambda: bool(listener.told))
    assert listener.told[0].keys() == set(keys)


def test_a_list_that_comes_in_pages_is_read_to_its_end(
    server: ApiServer, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "PAGE", 2)
    keys = [a_key() for _ in range(5)]
    for key in keys:
        server.put("pods", a_pod(key))
    listener.until(lambda: bool(listener.told))
    assert listener.told[0].keys() == set(keys)


def test_a_pod_that_is_made_changed_and_deleted_is_told_of(
    server: ApiServer, listener: Listener
) -> None:
    key = a_key()
    listener.until(lambda: is_following(server))
    server.put("pods", a_pod(key))
    listener.until(lambda: listener.knows(key))
    assert listener.last(key) == Observed(key=key, state=RunState.STARTING)
    server.put("pods", a_pod(key, ready=True, phase="Ready"))
    listener.until(lambda: listener.times(key) == 2)
    assert listener.last(key) == Observed(key=key, state=RunState.READY)
    server.remove("pods", run_name(key))
    listener.until(lambda: listener.times(key) == 3)
    assert listener.last(key) is None


def test_what_an_event_says_is_told(server: ApiServer, listener: Listener) -> None:
    key = a_key()
    server.put("pods", a_pod(key))
    listener.until(lambda: listener.knows(key) and is_following(server))
    server.put("events", an_event(key, "no such image"))
    listener.until(lambda: listener.times(key) == 2)
    seen = listener.last(key)
    assert seen is not None
    assert seen.failure_detail == "no such image"


def test_events_from_before_the_watch_are_known(server: ApiServer, listener: Listener) -> None:
    key = a_key()
    server.put("events", an_event(key, "scheduled"))
    server.put("pods", a_pod(key))
    listener.until(lambda: any(seen.failure_detail for seen in seen_of(listener, key)))


def seen_of(listener: Listener, key: RunKey) -> list[Observed]:
    return [seen for batch in listener.told if (seen := batch.get(key))]


def test_an_event_may_come_before_its_pod(server: ApiServer, listener: Listener) -> None:
    key, other = a_key(), a_key()
    server.put("pods", a_pod(other))
    listener.until(lambda: is_following(server))
    server.put("events", an_event(key, "early"))
    server.put("events", an_event(other, "seen"))
    listener.until(lambda: any(seen.failure_detail for seen in seen_of(listener, other)))
    server.put("pods", a_pod(key))
    listener.until(lambda: listener.knows(key))
    seen = listener.last(key)
    assert seen is not None
    assert seen.failure_detail == "early"


def test_what_looks_as_before_is_not_told_again(
    server: ApiServer, listener: Listener, judge: Judge
) -> None:
    key = a_key()
    server.put("pods", a_pod(key))
    listener.until(lambda: listener.knows(key) and is_following(server))
    before = len(judge.judged)
    pod = a_pod(key)
    pod["status"]["startTime"] = "2026-01-01T00:00:00Z"
    server.put("pods", pod)
    listener.until(lambda: any("startTime" in pod["status"] for pod in judge.judged[before:]))
    assert listener.times(key) == 1


def test_a_pod_that_is_not_ours_is_passed_over(server: ApiServer, listener: Listener) -> None:
    key = a_key()
    unlabelled, unreadable, copied = a_pod(a_key()), a_pod(a_key()), a_pod(a_key())
    del unlabelled["metadata"]["labels"]
    unreadable["metadata"]["labels"]["submarine-notebooks/run"] = "mine"
    copied["metadata"]["name"] = "debug"
    for pod in (unlabelled, unreadable, copied, a_pod(key)):
        server.put("pods", pod)
    listener.until(lambda: bool(listener.told))
    assert listener.told[0].keys() == {key}


def test_a_pod_that_took_the_place_of_one_that_was_deleted_is_told_of(
    server: ApiServer, listener: Listener
) -> None:
    key = a_key()
    server.put("pods", a_pod(key, uid="first", phase="Failed"))
    server.put("events", an_event(key, "of another"))
    listener.until(lambda: listener.knows(key) and is_following(server))
    server.remove("pods", run_name(key))
    server.put("pods", a_pod(key, uid="second"))
    listener.until(lambda: (seen := listener.last(key)) is not None and seen.state == "starting")


def test_a_pod_is_kept_without_what_nobody_asks_of_it(
    server: ApiServer, listener: Listener, judge: Judge
) -> None:
    server.put("pods", a_pod(a_key()))
    listener.until(lambda: bool(judge.judged))
    assert "managedFields" not in judge.judged[0]["metadata"]
    assert judge.judged[0]["spec"]["containers"] == [{"name": "notebook", "image": "i"}]


# What the clock decides.


def test_a_start_that_is_quick_is_told_once_at_its_end(
    server: ApiServer, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "QUICK_SECONDS", 60)
    key = a_key()
    server.put("pods", a_pod(key, phase="Pending"))
    server.put("pods", a_pod(key, phase="Running"))
    server.put("pods", a_pod(key, ready=True, phase="Ready"))
    listener.until(lambda: listener.knows(key))
    assert (listener.state(key), listener.times(key)) == (RunState.READY, 1)


def test_a_start_that_is_not_quick_is_told_of_before_its_end(
    server: ApiServer, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "QUICK_SECONDS", 0.1)
    key = a_key()
    server.put("pods", a_pod(key))
    listener.until(lambda: listener.knows(key))
    assert listener.state(key) is RunState.STARTING


def test_a_start_that_fails_quickly_is_told_of_at_once(
    server: ApiServer, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "QUICK_SECONDS", 60)
    key = a_key()
    server.put("pods", a_pod(key, phase="Failed"))
    listener.until(lambda: listener.knows(key))
    assert listener.state(key) is RunState.EXITED


def test_what_the_clock_may_change_is_judged_again_and_again(
    server: ApiServer, listener: Listener, judge: Judge
) -> None:
    key = a_key()
    server.put("pods", a_pod(key))
    listener.until(lambda: len(judge.judged) >= 3)
    assert listener.times(key) == 1


def test_what_only_an_event_can_change_is_judged_once(
    server: ApiServer, listener: Listener, judge: Judge
) -> None:
    ready, ended, starting = a_key(), a_key(), a_key()
    server.put("pods", a_pod(ready, ready=True, phase="Ready"))
    server.put("pods", a_pod(ended, phase="Failed"))
    server.put("pods", a_pod(starting))
    names = {run_name(ready), run_name(ended)}
    listener.until(lambda: len(judge.judged) >= 5)
    assert [pod["metadata"]["name"] for pod in judge.judged[3:]] == [run_name(starting)] * 2
    assert names < {pod["metadata"]["name"] for pod in judge.judged[:3]}


def test_a_run_whose_node_may_be_lost_is_judged_by_the_clock(
    server: ApiServer, listener: Listener, judge: Judge
) -> None:
    server.put("pods", a_pod(a_key(), ready=False, phase="Ready"))
    listener.until(lambda: len(judge.judged) >= 3)


def test_a_run_that_cannot_be_judged_now_is_judged_later(
    server: ApiServer, listener: Listener, judge: Judge
) -> None:
    key = a_key()
    judge.error = BackendUnavailable("The nodes cannot be listed.")
    server.put("pods", a_pod(key))
    listener.until(lambda: bool(judge.judged))
    judge.error = None
    listener.until(lambda: listener.knows(key))


def test_a_pod_that_cannot_be_understood_does_not_keep_others_from_being_told(
    server: ApiServer, listener: Listener, judge: Judge
) -> None:
    odd, key = a_key(), a_key()
    pod = a_pod(odd)
    del pod["status"]["phase"]
    server.put("pods", pod)
    server.put("pods", a_pod(key))
    listener.until(lambda: bool(listener.told))
    assert listener.told[0].keys() == {key}


# That it is alive.


def test_where_nothing_happens_that_is_told(server: ApiServer, listener: Listener) -> None:
    listener.until(lambda: len(listener.told) >= 3)
    assert listener.told == [{}, {}, {}]


@pytest.mark.parametrize("answer", [UNAVAILABLE, FORBIDDEN])
def test_nothing_is_told_while_the_api_refuses_until_it_no_longer_does(
    answer: Json, server: ApiServer, listener: Listener
) -> None:
    listener.until(lambda: len(listener.told) >= 1 and is_following(server))
    server.refuses = answer
    server.break_off()
    asked = len(server.asked)
    waiting = listener.listening(lambda: server.refuses is None)
    eventually(lambda: len(server.asked) > asked + 10)
    heard = len(listener.told)
    eventually(lambda: len(server.asked) > asked + 15)
    assert len(listener.told) == heard
    server.refuses = None
    waiting.result(SECONDS)
    listener.until(lambda: len(listener.told) > heard)


def test_a_watch_of_which_nothing_is_heard_for_long_is_not_believed(
    server: ApiServer, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener.until(lambda: len(listener.told) >= 1 and is_following(server))
    monkeypatch.setattr(reflector, "CURRENT_SECONDS", 0.0)
    key = a_key()
    waiting = listener.listening(lambda: listener.knows(key))
    heard = len(listener.told)
    server.put("pods", a_pod(key))
    waiting.result(SECONDS)
    assert [batch for batch in listener.told[heard + 1 :] if not batch] == []


# What becomes of the connections.


def test_a_watch_that_ended_is_resumed_from_the_last_version(
    server: ApiServer, listener: Listener
) -> None:
    server.longest_watch = 0.1
    key = a_key()
    listener.until(lambda: is_following(server))
    server.put("pods", a_pod(key))
    listener.until(lambda: listener.knows(key))
    before = len(server.watches("pods"))
    listener.until(lambda: len(server.watches("pods")) >= before + 2)
    assert server.watches("pods")[-1]["resourceVersion"] == "101"
    assert len(server.lists("pods")) == 1


def test_a_bookmark_moves_the_version_on(server: ApiServer, listener: Listener) -> None:
    server.longest_watch = 0.1
    listener.until(lambda: is_following(server))
    server.mark("pods")
    listener.until(lambda: server.watches("pods")[-1]["resourceVersion"] == "101")
    assert server.watches("pods")[0]["allowWatchBookmarks"] == "true"


def test_what_happened_while_a_connection_was_broken_is_told(
    server: ApiServer, listener: Listener
) -> None:
    kept, deleted = a_key(), a_key()
    server.put("pods", a_pod(kept))
    server.put("pods", a_pod(deleted))
    listener.until(lambda: listener.knows(kept) and is_following(server))
    server.refuses = UNAVAILABLE
    server.break_off()
    eventually(lambda: len(server.watches("pods")) > 1)
    made = a_key()
    server.remove("pods", run_name(deleted))
    server.put("pods", a_pod(made))
    server.refuses = None
    listener.until(lambda: listener.knows(made) and listener.times(deleted) == 2)
    assert listener.last(deleted) is None
    assert listener.times(kept) == 1


@pytest.mark.parametrize("in_the_stream", [True, False])
def test_what_can_no_longer_be_resumed_is_listed_anew(
    in_the_stream: object,
    server: ApiServer,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reflector, "LIST_AFTER_FAILURES", 1_000_000)
    kept, deleted, made = a_key(), a_key(), a_key()
    server.put("pods", a_pod(kept))
    server.put("pods", a_pod(deleted))
    listener.until(lambda: listener.knows(kept) and is_following(server))
    server.refuses = UNAVAILABLE if in_the_stream else GONE
    server.break_off()
    eventually(lambda: len(server.watches("pods")) > 1)
    server.remove("pods", run_name(deleted))
    server.put("pods", a_pod(made))
    server.forget()
    server.refuses = None
    listener.until(lambda: listener.knows(made) and listener.times(deleted) == 2)
    assert listener.last(deleted) is None
    assert listener.times(kept) == 1


def test_after_a_long_outage_the_list_is_made_anew(
    server: ApiServer, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "LIST_AFTER_FAILURES", 3)
    listener.until(lambda: is_following(server))
    server.refuses = UNAVAILABLE
    server.break_off()
    eventually(lambda: len(server.lists("pods")) > 1)
    server.refuses = None
    key = a_key()
    server.put("pods", a_pod(key))
    listener.until(lambda: listener.knows(key))


def test_watches_that_end_at_once_are_asked_for_ever_more_rarely(
    server: ApiServer, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[int] = []

    def noted(failures: int) -> float:
        pauses.append(failures)
        return 0.01

    monkeypatch.setattr(reflector, "SHORT_SECONDS", 5.0)
    monkeypatch.setattr(reflector, "_pause", noted)
    server.watches_end_at_once = True
    listener.until(lambda: len(pauses) > 10)
    assert {1, 2, 3, 4, 5} <= set(pauses)
    assert len(server.lists("pods")) == 1


def test_a_pause_doubles_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "FIRST_PAUSE", 0.2)
    monkeypatch.setattr(reflector, "LONGEST_PAUSE", 5.0)
    monkeypatch.setattr("random.uniform", lambda _least, most: most)
    assert [reflector._pause(n) for n in (1, 2, 3, 5, 6, 60)] == [0.2, 0.4, 0.8, 3.2, 5.0, 5.0]


def test_the_threads_end_after_the_one_who_listens_has_gone(
    server: ApiServer, api: Api, judge: Judge
) -> None:
    watching = Watch(api, selector("default"), judge.look)
    changes = watching.changes()
    next(changes)
    with closing(changes):
        pass
    server.break_off()
    for thread in (watching._pods, watching._events):
        thread.join(SECONDS)
        assert not thread.is_alive()


# What is kept.


def test_of_one_pod_the_latest_events_are_kept() -> None:
    known, key = cache.Cache(), a_key()
    pod = a_pod(key)
    pod["metadata"]["resourceVersion"] = "1"
    known.change_pod("ADDED", pod)
    for number in range(cache.EVENTS_KEPT + 2):
        known.change_event("ADDED", an_event(key, f"{number}", name=f"{number}"))
    known.change_event("MODIFIED", an_event(key, "again", name="2"))
    [news] = known.take(within=0)
    messages = [event["message"] for event in news.events]
    assert (len(messages), messages[0], messages[-1]) == (cache.EVENTS_KEPT, "3", "again")


def test_of_pods_that_never_come_few_events_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "EARLY_KEPT", 2)
    known, keys = cache.Cache(), [a_key() for _ in range(3)]
    for key in keys:
        known.change_event("ADDED", an_event(key, "early"))
    for key in keys:
        pod = a_pod(key)
        pod["metadata"]["resourceVersion"] = "1"
        known.change_pod("ADDED", pod)
    events = {news.key: len(news.events) for news in known.take(within=0)}
    assert events == {keys[0]: 0, keys[1]: 1, keys[2]: 1}


def test_events_go_with_their_pod() -> None:
    known, key = cache.Cache(), a_key()
    pod = a_pod(key)
    pod["metadata"]["resourceVersion"] = "1"
    known.change_pod("ADDED", pod)
    known.change_event("ADDED", an_event(key, "of the first"))
    known.change_pod("DELETED", pod)
    known.change_pod("ADDED", pod | {"metadata": pod["metadata"] | {"uid": "second"}})
    [news] = known.take(within=0)
    assert news.events == ()


def test_an_event_that_has_become_too_old_to_be_kept_by_the_api_stays_true() -> None:
    known, key = cache.Cache(), a_key()
    pod, event = a_pod(key), an_event(key, "pulled")
    pod["metadata"]["resourceVersion"] = "1"
    known.change_pod("ADDED", pod)
    known.change_event("ADDED", event)
    known.change_event("DELETED", event)
    [news] = known.take(within=0)
    assert [event["message"] for event in news.events] == ["pulled"]
