"""What goes wrong between client and service, and what the user is told of it."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from submarine_client import (
    AsyncClient,
    Client,
    Conflict,
    NotFound,
    NotSignedIn,
    Refused,
    SessionFailed,
    SubmarineError,
    TooMany,
    UnexpectedAnswer,
    Unreachable,
    WaitTimedOut,
    requests,
)
from submarine_client.watch import Watch
from tests.client.bad_server import (
    BadServer,
    cut,
    hang_up,
    page,
    redirect,
    refused,
    said,
    session,
    slowly,
)
from tests.client.conftest import Do, Subnb, command

ME = {
    "username": "demo",
    "first_name": "",
    "last_name": "",
    "email": "",
    "is_operator": False,
}
LISTED = {"next": None, "previous": None, "results": [session()]}
FAILED = session(
    "failed",
    reason={
        "code": "image_not_found",
        "title": "No image",
        "message": "The image does not exist.",
        "mender": "operator",
        "advice": "Tell your operators.",
    },
)


def nobody() -> str:
    """An address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.parametrize(
    "trouble",
    [hang_up, cut, page(502), page(504), refused(503, "busy")],
    ids=["silent", "cut", "502", "504", "503"],
)
def test_what_fails_for_a_while_is_asked_again(
    server: BadServer, do: Do, trouble: Callable[..., None]
) -> None:
    server.plays(trouble, trouble, said(ME))

    assert do(lambda client: client.me()).username == "demo"

    assert [each.path for each in server.asked] == ["/api/v2/me/"] * 3


CHOSEN = {"profile": "small", "environment": "notebook-env"}
CREATES: dict[str, Callable[[Any], Any]] = {
    "sessions/": lambda client: client.sessions.create(**CHOSEN),
    "bookmarks/": lambda client: client.bookmarks.create("a", **CHOSEN),
    "environments/": lambda client: client.environments.create("a"),
    "environments/a/versions/": lambda client: client.environments.add_version("a"),
    "volumes/": lambda client: client.volumes.create("a", volume_class="standard", size_mib=1),
    "secrets/": lambda client: client.secrets.create("A", "b"),
    "git-credentials/": lambda client: client.git_credentials.create(
        "a", kind="token", hosts=["git.example.com"]
    ),
    "tokens/": lambda client: client.tokens.create("a"),
    "quota/requests/": lambda client: client.quota.requests.ask("gpus", "1", why="A paper."),
}


@pytest.mark.parametrize("path", CREATES)
def test_whatever_is_made_is_asked_for_again_by_the_same_key(
    server: BadServer, do: Do, path: str
) -> None:
    server.plays(hang_up, cut, page(502), refused(503, "busy"), refused(422, "enough"))

    with pytest.raises(Refused, match="No"):
        do(CREATES[path])

    keys = {each.headers["Idempotency-Key"] for each in server.asked}
    assert {(each.method, each.path) for each in server.asked} == {("POST", f"/api/v2/{path}")}
    assert (len(server.asked), len(keys)) == (5, 1)
    with pytest.raises(Refused, match="No"):
        do(CREATES[path])
    assert server.asked[-1].headers["Idempotency-Key"] not in keys


def test_a_lost_answer_is_had_by_asking_again(server: BadServer, do: Do) -> None:
    gate = threading.Event()
    made = {"id": session()["id"], "name": "one", "token": "subnb_secret", "scopes": ["read"]}
    times = {"created_at": "2026-01-02T03:04:05Z", "expires_at": "2026-02-02T03:04:05Z"}
    server.plays(
        slowly(hang_up, gate),
        # The first sending is not done yet.
        refused(409, "in_progress", Retry_After="1"),
        said({**made, **times}, 201, Idempotency_Replayed="true"),
    )

    assert do(lambda client: client.tokens.create("one")).token == "subnb_secret"

    gate.set()
    assert len(server.asked) == 3
    assert len({each.headers["Idempotency-Key"] for each in server.asked}) == 1


def test_a_key_of_ones_own_is_sent(server: BadServer, do: Do) -> None:
    server.plays(said(session("requested"), 201))
    do(lambda client: client.sessions.create(**CHOSEN, idempotency_key="nightly"))
    assert [each.headers["Idempotency-Key"] for each in server.asked] == ["nightly"]


def test_what_might_be_done_twice_is_not_asked_again(server: BadServer, do: Do) -> None:
    server.plays(hang_up)

    with pytest.raises(Unreachable) as raised:
        do(lambda client: client.volumes.remove("one"))

    assert (len(server.asked), raised.value.code) == (1, "cut")


def test_what_is_gone_after_a_cut_delete_was_deleted(server: BadServer, do: Do) -> None:
    server.plays(hang_up, refused(404, "not_found"))
    do(lambda client: client.volumes.delete("one"))

    server.plays(refused(404, "not_found"))
    with pytest.raises(NotFound):
        do(lambda client: client.volumes.delete("one"))


def in_seconds(seconds: float) -> str:
    """A moment, as HTTP has it."""
    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "asked",
    [
        {"Retry_After": "1"},
        # In whole seconds.
        {"Retry_After": in_seconds(3602), "Date": in_seconds(3601)},
    ],
    ids=["seconds", "date"],
)
def test_who_asks_for_patience_gets_it(
    server: BadServer, do: Do, status: int, asked: dict[str, str]
) -> None:
    server.plays(refused(status, "throttled", **asked), said(ME))
    began = time.monotonic()

    assert do(lambda client: client.me()).username == "demo"

    assert 1 <= time.monotonic() - began < 4


@pytest.mark.parametrize("said_", ["soon", "-1", "1.5", "Thu, 99 Foo 2026", "", "Retry-After"])
def test_what_is_no_time_is_no_pause(server: BadServer, do: Do, said_: str) -> None:
    server.plays(refused(429, "throttled", Retry_After=said_), said(ME))
    began = time.monotonic()
    assert do(lambda client: client.me()).username == "demo"
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("asked", ["600", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_nobody_is_kept_waiting_for_minutes(server: BadServer, do: Do, asked: str) -> None:
    server.plays(refused(429, "too_many_attempts", "Slower.", Retry_After=asked))

    with pytest.raises(TooMany) as raised:
        do(lambda client: client.me())

    assert (raised.value.code, raised.value.message) == ("too_many_attempts", "Slower.")
    assert raised.value.retry_after
    assert raised.value.retry_after >= 600
    assert raised.value.advice.startswith("Nothing was done. Try again in ")
    assert len(server.asked) == 1


def test_there_is_an_end_to_patience(
    server: BadServer, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = requests.ask.__kwdefaults__ or {}
    monkeypatch.setattr(requests.ask, "__kwdefaults__", {**usual, "patience": 2})
    server.plays(refused(429, "throttled", "Slower.", Retry_After="1"))

    with pytest.raises(TooMany) as raised:
        do(lambda client: client.me())

    assert (raised.value.retry_after, len(server.asked)) == (1, 3)


def test_a_proxy_that_asks_for_patience(server: BadServer, do: Do) -> None:
    server.plays(page(429))
    with pytest.raises(TooMany, match="was asked too often") as raised:
        do(lambda client: client.me())
    assert (raised.value.code, len(server.asked)) == ("throttled", 5)

    server.plays(page(503, Retry_After="600"))
    with pytest.raises(Unreachable, match="cannot answer now") as away:
        do(lambda client: client.me())
    assert (away.value.retry_after, away.value.advice) == (600, "Try again in 600 s.")


def test_a_service_that_is_away_or_silent(server: BadServer, do: Do) -> None:
    gate = threading.Event()
    server.plays(slowly(hang_up, gate))
    with pytest.raises(Unreachable, match="does not answer in time") as raised:
        do(lambda client: client.me())
    gate.set()
    # Once more, and no more: it takes long enough.
    assert (raised.value.code, len(server.asked)) == ("timed_out", 2)
    assert "SUBMARINE_TIMEOUT" in raised.value.advice

    server.url = nobody()
    with pytest.raises(Unreachable, match="Nothing answers at 127") as raised:
        do(lambda client: client.me())
    assert (raised.value.code, "Check the address" in raised.value.advice) == ("unreachable", True)


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        (refused(404, "not_found"), lambda client: client.quota.check("small")),
        (refused(404, "not_found"), lambda client: client.bookmarks.list()),
        (refused(405, "method_not_allowed"), lambda client: client.volumes.retry("one")),
    ],
    ids=["call", "list", "method"],
)
def test_what_an_older_service_does_not_have(
    server: BadServer, do: Do, answer: Any, call: Callable[[Any], Any]
) -> None:
    server.plays(answer)
    with pytest.raises(UnexpectedAnswer, match="The service does not know") as raised:
        do(call)
    assert (raised.value.code, "older" in raised.value.advice) == ("not_offered", True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (401, NotSignedIn), (404, NotFound), (409, Conflict), (412, Conflict)],
)
def test_a_refusal_has_the_services_words(
    server: BadServer, do: Do, status: int, kind: type[Refused]
) -> None:
    body = {"code": "some_code", "message": "In words.", "fields": {"name": "Too long."}}
    server.plays(said(body, status))

    with pytest.raises(kind) as raised:
        do(lambda client: client.profiles.get("small"))

    error = raised.value
    assert (error.code, error.message, error.status) == ("some_code", "In words.", status)
    assert error.fields == {"name": "Too long."}
    assert len(server.asked) == 1


def test_an_answer_that_is_no_answer(server: BadServer, do: Do) -> None:
    for answer in (page(200), page(404), said([]), said({"hello": "world"}), said({}, 418)):
        server.plays(answer)
        with pytest.raises(UnexpectedAnswer):
            do(lambda client: client.me())


def test_the_token_goes_nowhere_else(server: BadServer, do: Do) -> None:
    server.plays(redirect(f"{server.url}/elsewhere"))

    with pytest.raises(UnexpectedAnswer) as raised:
        do(lambda client: client.me())

    assert raised.value.code == "redirected"
    assert [each.path for each in server.asked] == ["/api/v2/me/"]


def test_a_list_goes_on_over_its_pages(server: BadServer, do: Do) -> None:
    # The address of the next page is one that the service has behind a proxy.
    more = {**LISTED, "next": "http://inside:8000/api/v2/sessions/?cursor=abc&page_size=200"}
    server.plays(said(more), hang_up, said(LISTED))

    found = do(lambda client: client.sessions.list(status=["running", "failed"]))

    assert [each.name for each in found] == ["thesis", "thesis"]
    assert [each.path for each in server.asked] == [
        "/api/v2/sessions/?status=running&status=failed&page_size=200",
        *["/api/v2/sessions/?cursor=abc&page_size=200"] * 2,
    ]


def test_a_wait_outlives_a_service_that_is_away(server: BadServer, do: Do) -> None:
    away: list[str] = []
    server.plays(
        said(session("starting")),
        *[page(502)] * 5,
        said(session("starting")),
        said(session("running")),
    )

    def wait(client: Any) -> Any:
        found = client.sessions._session(session("requested"))
        return found.wait(on_away=lambda error: away.append(error.code))

    assert do(wait).status == "running"
    assert away == ["unreachable"]


def test_a_wait_outlives_a_proxy_that_cuts(server: BadServer, do: Do) -> None:
    server.plays(cut, said(session("starting")), hang_up, cut, said(session("running")))
    assert do(lambda client: client.sessions._session(session("requested")).wait()).status == (
        "running"
    )


def test_a_wait_has_the_patience_that_it_is_asked_for_and_tells(server: BadServer, do: Do) -> None:
    away: list[SubmarineError] = []
    server.plays(refused(429, "throttled", "Slower.", Retry_After="3"), said(session("running")))
    began = time.monotonic()

    def wait(client: Any) -> Any:
        return client.sessions._session(session("requested")).wait(on_away=away.append)

    assert do(wait).status == "running"
    assert 3 <= time.monotonic() - began < 5
    assert [(each.code, each.retry_after) for each in away] == [("throttled", 3)]
    server.plays(refused(429, "throttled", "Slower.", Retry_After="600"))
    with pytest.raises(TooMany):
        do(wait)


@pytest.mark.parametrize("answer", [refused(429, "throttled", Retry_After="30"), hang_up, None])
def test_a_wait_ends_in_time_whatever_is_answered(
    server: BadServer, do: Do, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_FIRST_PAUSE", 0.25)
    gate = threading.Event()
    server.plays(answer or slowly(hang_up, gate))
    began = time.monotonic()

    with pytest.raises(WaitTimedOut, match="is still requested"):
        do(lambda client: client.sessions._session(session("requested")).wait(timeout=0.5))

    gate.set()
    assert time.monotonic() - began < 5


def test_a_wait_ends_with_the_token(server: BadServer, do: Do) -> None:
    server.plays(said(session("starting")), refused(401, "bad_token", "Revoked."))

    with pytest.raises(NotSignedIn):
        do(lambda client: client.sessions._session(session("requested")).wait())

    assert len(server.asked) == 2


def test_a_wait_ends_with_a_failure(server: BadServer, do: Do) -> None:
    server.plays(said(session("starting")), said(FAILED))

    with pytest.raises(SessionFailed) as raised:
        do(lambda client: client.sessions._session(session("requested")).wait())

    assert (raised.value.code, raised.value.advice) == ("image_not_found", "Tell your operators.")


def test_a_wait_ends_in_time(server: BadServer, do: Do) -> None:
    server.plays(said(session("starting")))
    began = time.monotonic()

    with pytest.raises(WaitTimedOut):
        do(lambda client: client.sessions._session(session("requested")).wait(timeout=1))

    assert 1 <= time.monotonic() - began < 2
    assert len(server.asked) <= 5


def test_many_waits_share_connections(server: BadServer) -> None:
    server.plays(said(session("starting")))

    async def many() -> None:
        async with AsyncClient(server.url, "subnb_test") as client:
            each = [client.sessions._session(session("requested")) for _ in range(200)]
            waits = [asyncio.ensure_future(one.wait()) for one in each]
            await asyncio.wait(waits, timeout=6)
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            assert all(one.cancelled() for one in waits)
            assert not client._site.watches

    asyncio.run(many())
    assert server.connections <= 20
    assert 200 <= len(server.asked) <= 600


def test_a_newer_service_is_understood(server: BadServer, client: Client) -> None:
    newer = session(
        "hibernating",
        colour="green",
        run={"id": "x", "number": 3, "created_at": "2026-01-01T00:00:00Z", "later": 1},
    )
    server.plays(said(newer))

    found = client.sessions.get(newer["id"])

    assert found.info.run
    assert (found.status, found.info.run.number) == ("hibernating", 3)
    assert found.info.raw["colour"] == "green"


def test_an_older_service_is_understood(server: BadServer, client: Client) -> None:
    older = session()
    for name in ("mounts", "home", "newest_environment_version", "opens", "secrets"):
        del older[name]
    server.plays(said(older))

    found = client.sessions.get(older["id"])

    assert (found.info.mounts, found.info.opens, found.info.home) == ([], "", None)


def test_a_log_is_followed_while_the_service_is_away(server: BadServer, do: Do) -> None:
    def log(text: str) -> Any:
        return said({"run": "x", "text": text})

    server.plays(
        *(said(session()), log("one")),
        *[page(502)] * 6,
        *(said(session()), cut, log("one\ntwo")),
        *(said(session("stopped")), log("two\nthree")),
    )

    lines = do(lambda client: client.sessions._session(session()).follow_log())

    assert lines == ["one", "two", "three"]


def test_nothing_is_followed_for_good(
    server: BadServer, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch.__init__, "__kwdefaults__", {"away_seconds": 2})
    server.plays(page(502))
    for follow in (
        lambda client: client.environments.follow_build("0" * 64),
        lambda client: client.sessions._session(session()).follow_log(),
        lambda client: client.sessions._session(session()).wait(),
    ):
        with pytest.raises(Unreachable, match="cannot answer now"):
            do(follow)


def test_a_log_is_followed_past_troubles(server: BadServer, do: Do) -> None:
    def log(text: str) -> Any:
        return said({"run": "x", "text": text})

    running = said(session("running"))
    server.plays(
        *(running, log("one\ntwo")),
        *(running, refused(503, "log_unavailable")),
        *[refused(503, "log_unavailable")] * 4,
        *(running, log("two\nthree\nfour")),
        *(said(session("stopped")), log("four\nfive")),
    )

    lines = do(lambda client: client.sessions._session(session()).follow_log())

    assert lines == ["one", "two", "three", "four", "five"]


# Of the command: what it says and how it ends.


def test_a_service_that_is_away(tmp_path: Path) -> None:
    url = nobody()
    done = command(tmp_path, SUBMARINE_URL=url, SUBMARINE_TOKEN="x")("list")

    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith(f"Error: Nothing answers at {url.partition('//')[2]}: ")


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (page(200), 5, "is not Submarine Notebooks: it sends text/html with status 200."),
        (page(503), 5, "cannot answer now (status 503)."),
        (refused(503, "busy", "Busy.", Retry_After="600"), 5, "Try again in 600 s."),
        (refused(405, "method_not_allowed"), 5, "The service may be older or newer"),
        (said({"hello": "world"}), 5, "The service may be older or newer"),
        (redirect("https://other.example.com/"), 5, "sends elsewhere"),
        (cut, 5, "was cut"),
        (refused(401, "bad_token", "The API token is expired."), 3, "subnb login"),
        (refused(403, "forbidden", "You may not do this."), 1, "(forbidden)"),
        (refused(404, "not_found", "There is no such thing."), 5, "does not know GET /api/v2/ses"),
        (refused(429, "throttled", "Slower.", Retry_After="900"), 9, "Slower. (throttled)"),
        (refused(429, "throttled", Retry_After="900"), 9, "Nothing was done. Try again in 900 s"),
        (said({"code": "invalid", "message": "No.", "fields": {"name": "x."}}, 400), 1, "name: x."),
    ],
    ids=[
        *("html", "503", "503-until", "405", "other", "redirect", "cut"),
        *("401", "403", "404", "429", "429-until", "400"),
    ],
)
def test_the_command_says_what_happened(
    server: BadServer, subnb: Subnb, answer: Callable[..., None], code: int, words: str
) -> None:
    server.plays(answer)

    done = subnb("list")

    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert server.asked[0].headers["User-Agent"].startswith("subnb/")


def test_nothing_is_known(tmp_path: Path) -> None:
    done = command(tmp_path)("list")

    assert done.returncode == 3
    assert "subnb login ADDRESS" in done.stderr


def test_a_login_that_expires_while_it_waits(server: BadServer, subnb: Subnb) -> None:
    server.plays(
        said(session("requested"), 201),
        said(session("starting")),
        refused(401, "bad_token", "The API token is expired."),
    )

    done = subnb("launch", "--profile", "small", "--env", "notebook-env")

    assert done.returncode == 3
    assert "“thesis” goes on without you." in done.stderr
    assert "The API token is expired. (bad_token)" in done.stderr


def test_a_session_that_fails(server: BadServer, subnb: Subnb) -> None:
    server.plays(said(session("requested"), 201), said(FAILED))

    done = subnb("launch", "--profile", "small", "--env", "notebook-env")

    assert (done.returncode, done.stdout) == (6, "")
    assert "“thesis” has failed: The image does not exist. (image_not_found)" in done.stderr
    assert "Tell your operators." in done.stderr
    assert "goes on" not in done.stderr


def test_a_wait_that_takes_too_long(server: BadServer, subnb: Subnb) -> None:
    server.plays(said(session("requested"), 201), said(session("starting")))

    done = subnb("launch", "--profile", "small", "--env", "notebook-env", "--timeout", "1")

    assert done.returncode == 7
    assert "“thesis” is still starting. (timeout)" in done.stderr


def test_a_wait_says_that_the_service_is_away_and_goes_on(server: BadServer, subnb: Subnb) -> None:
    server.plays(said(session("requested"), 201), *[page(502)] * 5, said(session("running")))

    done = subnb("launch", "--profile", "small", "--env", "notebook-env")

    assert done.returncode == 0
    assert done.stderr.count("Looking again until it is back.") == 1


def test_an_interrupted_wait_leaves_the_session_and_says_how_to_go_on(
    server: BadServer, tmp_path: Path
) -> None:
    server.plays(said(session("requested"), 201), said(session("starting")))
    waiting = subprocess.Popen(
        [
            Path(sys.executable).with_name("subnb"),
            *("launch", "--profile", "small", "--env", "notebook-env"),
        ],
        env={
            "SUBMARINE_URL": server.url,
            "SUBMARINE_TOKEN": "x",
            "XDG_CONFIG_HOME": str(tmp_path),
        },
        stderr=subprocess.PIPE,
        text=True,
        # What runs in the background has it ignored, and those that it starts do so too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    while len(server.asked) < 3:
        time.sleep(0.05)  # noqa: TID251

    waiting.send_signal(signal.SIGINT)
    _, told = waiting.communicate(timeout=10)

    assert waiting.returncode == 130
    assert "subnb open 11111111-2222-4333-8444-555555555555" in told
    assert "Traceback" not in told
    assert {each.method for each in server.asked[1:]} == {"GET"}


def test_a_slow_service_is_waited_for(server: BadServer, subnb: Subnb) -> None:
    gate = threading.Event()
    threading.Timer(2, gate.set).start()
    server.plays(slowly(said(LISTED), gate))

    done = subnb("list", "-o", "name")

    assert (done.returncode, done.stdout) == (0, f"{session()['id']}\n")
    assert len(server.asked) == 1


def test_nothing_of_a_name_acts_on_the_terminal(server: BadServer, subnb: Subnb) -> None:
    server.plays(said({**LISTED, "results": [session(name="a\x1b[2Jb\r\u202ec")]}))

    shown = subnb("list").stdout

    assert "\x1b" not in shown
    assert "a\ufffd[2Jb\ufffd\ufffdc" in shown
