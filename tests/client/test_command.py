"""What the command takes and prints."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from submarine_client.cli.launch import _code
from submarine_client.cli.volumes import size
from submarine_client.cli.work import _far
from submarine_client.tail import overlap
from tests.client.bad_server import BadServer, refused, said, session
from tests.client.conftest import Subnb
from tests.client.test_faults import LISTED

NOW = "2026-01-02T03:04:05Z"


def test_a_list_for_people_and_for_scripts(server: BadServer, subnb: Subnb) -> None:
    server.plays(said(LISTED))

    table = subnb("list").stdout.splitlines()
    assert table[0].split() == ["NAME", "STATUS", "SIZE", "ENVIRONMENT", "CREATED", "ID"]
    assert table[1].split()[:5] == ["thesis", "running", "small", "notebook-env", "v1"]
    assert json.loads(subnb("list", "-o", "json").stdout) == LISTED["results"]
    assert yaml.safe_load(subnb("list", "-o", "yaml").stdout) == LISTED["results"]
    assert subnb("list", "-o", "name").stdout == f"{session()['id']}\n"


def test_a_list_is_ordered_as_asked(server: BadServer, subnb: Subnb) -> None:
    server.plays(said(LISTED))
    assert subnb("list", "--sort", "-name").returncode == 0
    assert "ordering=-name" in server.asked[-1].path
    assert subnb("list", "--sort", "status").returncode == 2


def test_an_empty_list_is_nothing_to_scripts(server: BadServer, subnb: Subnb) -> None:
    server.plays(said({**LISTED, "results": []}))

    done = subnb("list")

    assert (done.returncode, done.stdout) == (0, "")
    assert "subnb launch" in done.stderr
    assert subnb("list", "-o", "json").stdout == "[]\n"


def test_wide_names_stay_in_their_column(server: BadServer, subnb: Subnb) -> None:
    rows = [session(name="論文"), session(name="thesis")]
    server.plays(said({**LISTED, "results": rows}))

    lines = subnb("list").stdout.splitlines()

    assert lines[1].startswith("論文    running")
    assert lines[2].startswith("thesis  running")


def test_what_a_file_asks_for_is_asked_for(server: BadServer, subnb: Subnb, tmp_path: Path) -> None:
    file = tmp_path / "thesis.yaml"
    file.write_text(
        "profile: small\n"
        "environment: notebook-env\n"
        "variables: {EPOCHS: 3, DEBUG: true}\n"
        "secrets: [KEY]\n"
        "code: [{url: https://git.example.com/a, ref: main}]\n"
    )
    server.plays(said(session("requested"), 201))

    done = subnb("launch", "-f", str(file), "--profile", "large", "--no-wait", "-o", "name")

    assert (done.returncode, done.stdout) == (0, f"{session()['id']}\n")
    [asked] = server.asked
    assert json.loads(asked.body) == {
        "profile": "large",
        "environment": "notebook-env",
        "variables": {"EPOCHS": "3", "DEBUG": "true"},
        "secrets": ["KEY"],
        "code": [{"url": "https://git.example.com/a", "ref": "main"}],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is no YAML"),
        ("- small", "has no fields"),
        ("", "has no fields"),
        ("profil: small", "there is no field profil"),
        ("a: !!python/object/apply:os.system ['true']", "is no YAML"),
    ],
)
def test_a_file_that_is_not_right(server: BadServer, subnb: Subnb, text: str, words: str) -> None:
    done = subnb("launch", "-f", "-", typed=text)

    assert (done.returncode, server.asked) == (2, [])
    assert words in done.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["launch"], "Say --profile and --env."),
        (["launch", "--profile", "small"], "Say --env."),
        (["launch", "--profile", "a", "--env", "b", "--var", "X"], "X is not NAME=VALUE."),
        (["exec", "thesis"], "Say what to run"),
        (["exec", "thesis", "1", "2"], "Arguments are for a file"),
        (["exec", "thesis", __file__], "is a file here: run it by -f"),
        (["cp", "a", "b"], "One of the two is to be SESSION:PATH."),
        (["cp", "a:x", "b:y"], "One of the two is to be SESSION:PATH."),
        (["volume", "create", "a", "--class", "b", "--size", "much"], "much is no size"),
        (["nothing"], "No such command"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_a_command_line_that_is_not_right(
    server: BadServer, subnb: Subnb, command: list[str], words: str
) -> None:
    done = subnb(*command)

    assert (done.returncode, done.stdout, server.asked) == (2, "", [])
    assert words in done.stderr


def test_a_name_that_several_sessions_have(server: BadServer, subnb: Subnb) -> None:
    rows = [session(), session(id="2" * 8 + session()["id"][8:]), session(name="thesis 2")]
    server.plays(said({**LISTED, "results": rows}))

    done = subnb("stop", "thesis")

    assert done.returncode == 4
    assert "2 of your sessions are named “thesis”. (ambiguous)" in done.stderr
    assert {each.method for each in server.asked} == {"GET"}


def test_a_secret_is_stored_from_stdin_and_printed_nowhere(server: BadServer, subnb: Subnb) -> None:
    kept = {"id": session()["id"], "name": "KEY", "kind": "variable"}
    times = {"created_at": NOW, "updated_at": NOW, "last_used_at": None}
    server.plays(
        said({**LISTED, "results": []}),
        said({**kept, **times}, 201),
    )

    done = subnb("secret", "set", "KEY", typed="hunter2\n")

    assert done.returncode == 0
    assert json.loads(server.asked[-1].body) == {
        "name": "KEY",
        "kind": "variable",
        "value": "hunter2",
    }
    assert "hunter2" not in done.stdout + done.stderr


def test_a_refused_field_is_named(server: BadServer, subnb: Subnb) -> None:
    body = {"code": "invalid", "message": "Too long.", "fields": {"name": "Too long."}}
    server.plays(said(body, 400))

    done = subnb("launch", "--profile", "small", "--env", "b", "--name", "x" * 300)

    assert done.returncode == 1
    assert done.stderr == "Error: name: Too long. (invalid)\n"


def test_whoever_reads_no_further_is_no_error(server: BadServer, subnb: Subnb) -> None:
    server.plays(said({**LISTED, "results": [session()] * 3000}))

    done = subnb("list", "-o", "json", before=("sh", "-c", '"$0" "$@" | head -c 1'))

    assert (done.stdout, done.stderr) == ("[", "")


def test_completion(subnb: Subnb) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_SUBNB_COMPLETE" in subnb("completion", shell).stdout


@pytest.mark.parametrize(
    ("said_", "code"),
    [
        ("https://h/p", {"url": "https://h/p"}),
        ("https://h/p@main", {"url": "https://h/p", "ref": "main"}),
        ("https://h/p@feature/a", {"url": "https://h/p", "ref": "feature/a"}),
        ("https://me@h/p", {"url": "https://me@h/p"}),
        ("git@h:p.git", {"url": "git@h:p.git"}),
        ("git@h:p.git@v1", {"url": "git@h:p.git", "ref": "v1"}),
        ("ssh://git@h:22/p@v1", {"url": "ssh://git@h:22/p", "ref": "v1"}),
    ],
)
def test_code_with_and_without_a_ref(said_: str, code: dict[str, str]) -> None:
    assert _code(said_) == code


@pytest.mark.parametrize(
    ("text", "mib"), [("500", 500), ("500Mi", 500), ("20G", 20480), ("1 TiB", 2**20)]
)
def test_sizes(text: str, mib: int) -> None:
    assert size(text) == mib


@pytest.mark.parametrize("text", ["", "G", "1.5G", "-1", "1 PB", "1GG"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter):
        size(text)


@pytest.mark.parametrize(
    ("place", "far"),
    [
        ("thesis:a/b", ("thesis", "a/b")),
        ("thesis:", ("thesis", "")),
        ("thesis:/a", ("thesis", "a")),
        ("./a:b", None),
        ("/a/b", None),
        ("C:\\a", None),
        (":a", None),
    ],
)
def test_which_side_a_place_is_on(place: str, far: tuple[str, str] | None) -> None:
    assert _far(place) == far


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [("", "ab", 0), ("ab", "ab", 2), ("abc", "bcd", 2), ("aab", "aba", 2), ("abc", "xyz", 0)],
)
def test_how_far_a_log_is_known(before: str, now: str, count: int) -> None:
    assert overlap(list(before), list(now)) == count


def test_a_refusal_has_its_details(server: BadServer, client: Any) -> None:
    details = {"shortages": [{"resource": "gpus"}]}
    server.plays(said({"code": "over_quota", "message": "No.", "details": details}, 409))
    with pytest.raises(Exception, match="No") as raised:
        client.me()
    assert raised.value.details == details  # type: ignore[attr-defined]
    server.plays(refused(409, "over_quota"))
    with pytest.raises(Exception, match="No") as raised:
        client.me()
    assert raised.value.details == {}  # type: ignore[attr-defined]


BUILD = {
    "digest": "0" * 64,
    "kernel": "mine",
    "state": "built",
    "error": "",
    "error_code": "",
    "created_at": NOW,
}
ENVIRONMENT = {
    "name": "mine",
    "display_name": "mine",
    "created_at": NOW,
    "updated_at": NOW,
    "newest": {
        "number": 2,
        "image": "a",
        "kernels": [{"name": "mine"}],
        "builds": [{**BUILD, "state": "queued"}],
        "created_at": NOW,
    },
}
LOG = {"digest": "0" * 64, "state": "built", "text": "Solving 2 specifications."}


@pytest.mark.parametrize("output", [[], ["-o", "name"]])
def test_what_is_built_is_followed(
    server: BadServer, subnb: Subnb, tmp_path: Path, output: list[str]
) -> None:
    file = tmp_path / "environment.yml"
    file.write_text("dependencies: [six]")
    server.plays(*(said(ENVIRONMENT, 201), said(LOG), said(BUILD), said(BUILD), said(ENVIRONMENT)))

    done = subnb("env", "create", "mine", "-f", str(file), "--follow", *output)

    assert done.returncode == 0
    assert done.stderr == "Solving 2 specifications.\nThe kernel “mine” is built.\n"
    assert done.stdout == "mine\n" if output else "Kernels" in done.stdout
    assert json.loads(server.asked[0].body)["file"]["content"] == "dependencies: [six]"


def test_a_build_that_fails(server: BadServer, subnb: Subnb, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("six")
    failed = {**BUILD, "state": "failed", "error": "No such package.", "error_code": "no_package"}
    server.plays(
        *(said(ENVIRONMENT["newest"], 201), said({**LOG, "state": "failed"}), said(failed))
    )

    done = subnb("env", "update", "mine", "-f", str(file), "--follow")

    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr == (
        "“mine” has a version 2.\nSolving 2 specifications.\n"
        "Error: The kernel “mine” could not be built: No such package. (no_package)\n"
    )


def test_what_a_token_may_not_have_is_said_once(server: BadServer, subnb: Subnb) -> None:
    message = "This token cannot get “admin”."
    body = {"code": "beyond_your_scopes", "message": message, "fields": {"scopes": message}}
    server.plays(said(body, 403))

    done = subnb("token", "create", "boss", "--scope", "admin")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: scopes: {message} (beyond_your_scopes)\n"


def test_states_and_fields_of_a_newer_service_are_shown(server: BadServer, subnb: Subnb) -> None:
    newer = session("hibernating", colour="green", reason={"code": "x", "later": 1})
    server.plays(said({**LISTED, "results": [newer], "total": 1}))

    assert subnb("list").stdout.splitlines()[1].split()[:2] == ["thesis", "hibernating"]
    assert json.loads(subnb("list", "-o", "json").stdout) == [newer]
    assert subnb("show", "thesis").returncode == 0


def test_a_field_that_an_older_service_does_not_know(server: BadServer, subnb: Subnb) -> None:
    unknown = "There is no such field."
    body = {
        "code": "invalid",
        "message": f"charge_to: {unknown}",
        "fields": {"charge_to": unknown},
    }
    server.plays(said(body, 400))

    done = subnb("quota", "check", "small", "--charge-to", "research")

    assert (done.returncode, done.stderr) == (1, f"Error: charge_to: {unknown} (invalid)\n")


def test_every_command_is_there(subnb: Subnb) -> None:
    shown = subnb("--help").stdout
    for name in (
        *("login", "launch", "list", "show", "open", "logs", "events", "stop", "start", "delete"),
        *("exec", "cp", "env", "volume", "profile", "quota", "secret", "token", "completion"),
    ):
        assert f"\n  {name} " in shown
        assert subnb(name, "--help").returncode == 0
