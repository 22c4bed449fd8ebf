"""The client and the service's schema say the same."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import yaml

from submarine_client import models
from submarine_client.client import Api
from submarine_client.requests import Site
from submarine_client.sessions import CodeSource, MountAt, Session
from submarine_client.transport import Request
from tests.client.bad_server import session
from tests.schema import OPERATIONS, SCHEMA

SCHEMAS = SCHEMA["components"]["schemas"]
ID = session()["id"]
DIGEST = "0" * 64

# By which name the schema has what the client names otherwise, or once for two.
OTHERWISE = {
    "SessionInfo": "Session",
    "Secret": "ListedSecret",
    "GitCredential": "ListedGitCredential",
}
MODELS = [
    model
    for model in vars(models).values()
    if isinstance(model, type) and issubclass(model, models.Model) and model is not models.Model
]

# What the client leaves to pages and operators.
LEFT = {
    "audit_export_retrieve",
    "audit_list",
    "bookmarks_retrieve",
    "volume_classes_retrieve",
    "volumes_adopt_create",
    "volumes_retrieve",
}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_model_has_the_fields_of_its_schema(model: type[models.Model]) -> None:
    schema = SCHEMAS[OTHERWISE.get(model.__name__, model.__name__)]
    hints = get_type_hints(model)

    assert {each.name for each in fields(model)} == set(schema["properties"])  # type: ignore[arg-type]
    for name, said in schema["properties"].items():
        assert _is_optional(hints[name]) == _may_be_null(said), name


def test_a_kernel_is_made_as_before_it_told_what_it_resolved_to() -> None:
    kernel = models.Kernel("science", "Science", ["conda-forge"], ["python=3.12"], ["rich"])
    said = {
        "name": "science",
        "display_name": "Science",
        "channels": ["conda-forge"],
        "conda": ["python=3.12"],
        "pip": ["rich"],
    }
    assert {name: getattr(kernel, name) for name in said} == said
    # An older service does not tell it.
    assert models.Kernel.of(said) == kernel
    assert kernel.resolved == models.Resolved([], [], [])
    resolved = {"channels": ["conda-forge"], "conda": ["python 3.12.*"], "pip": ["rich"]}
    told = models.Kernel.of({**said, "resolved": resolved})
    assert told.resolved == models.Resolved(**resolved)


def _is_optional(hint: Any) -> bool:
    return type(None) in get_args(hint) and get_origin(hint) not in (dict, list)


def _may_be_null(said: dict[str, Any]) -> bool:
    types = said.get("type")
    return "null" in (types if isinstance(types, list) else []) or {"type": "null"} in said.get(
        "oneOf", []
    )


@pytest.mark.parametrize(
    ("given", "schema"), [(CodeSource, "CodeSourceRequest"), (MountAt, "MountRequest")]
)
def test_what_is_given_has_the_fields_of_its_schema(given: Any, schema: str) -> None:
    assert set(given.__annotations__) == set(SCHEMAS[schema]["properties"])
    needed = {name for name, hint in given.__annotations__.items() if "NotReq" not in str(hint)}
    assert needed == set(SCHEMAS[schema]["required"])


class _Stopped(Exception):
    pass


class Recorder:
    """Keeps the request that a call begins with, and goes no further."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def run(self, steps: Any) -> None:
        self.requests.append(next(steps))
        with pytest.raises(_Stopped):
            steps.throw(_Stopped())

    flow = run


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def _calls(api: Any, one: Any, file: Path) -> Iterator[Callable[[], Any]]:
    """Every call of the client, with everything that it takes."""
    setup = {
        "code": [{"url": "https://git.example.com/a"}],
        "opens": "a.ipynb",
        "variables": {"A": "b"},
        "secrets": ["KEY"],
        "mounts": [{"volume": ID, "path": "data"}],
    }
    chosen = {"profile": "small", "environment": "notebook-env", **setup}
    yield api.me
    yield lambda: api.redeem_login("code", "verifier")
    yield lambda: api.sessions.create(name="a", charge_to="research", **chosen)
    which = {"name": "a", "profile": "b", "environment": "c"}
    yield lambda: api.sessions.list(status=["failed"], ordering="-name", **which)
    yield lambda: api.sessions.get(ID)
    yield lambda: api.sessions.get("thesis")
    yield one.refresh
    yield one.follow
    yield one.wait
    yield one.stop
    yield lambda: one.start(rescue=True, charge_to="research")
    yield one.update_environment
    yield lambda: one.update(name="b", **setup)
    yield one.delete
    yield lambda: one.open("lab/tree/a.ipynb")
    yield one.events
    yield one.log
    yield lambda: one.kernel().run("1")
    yield one.files.list
    yield api.profiles.list
    yield lambda: api.profiles.get("small")
    yield lambda: api.environments.list("pandas")
    yield lambda: api.environments.get("a")
    more = {"image": "", "needs_gpu": False, "note": "n"}
    yield lambda: api.environments.create("a", file=file, display_name="A", groups=[], **more)
    yield lambda: api.environments.add_version("a", kernels=[{"name": "b"}], **more)
    yield lambda: api.environments.versions("a")
    yield lambda: api.environments.version("a", 1)
    yield lambda: api.environments.update("a", display_name="A")
    yield lambda: api.environments.delete("a")
    yield lambda: api.environments.build(DIGEST)
    yield lambda: api.environments.follow_build(DIGEST)
    yield lambda: api.environments.retry_build(DIGEST)
    yield lambda: api.environments.build_lock(DIGEST)
    yield lambda: api.volumes.list(state="live", kind="data")
    yield lambda: api.volumes.get("a")
    yield api.volumes.classes
    yield lambda: api.volumes.create("a", volume_class="standard", size_mib=1)
    yield lambda: api.volumes.update(ID, name="b", size_mib=2)
    yield lambda: api.volumes.delete(ID)
    yield lambda: api.volumes.restore(ID, name="b")
    yield lambda: api.volumes.remove(ID)
    yield lambda: api.volumes.retry(ID)
    yield api.quota.get
    yield lambda: api.quota.check("small", charge_to="research")
    yield api.quota.requests.list
    yield lambda: api.quota.requests.get(ID)
    until = datetime(2026, 1, 2, tzinfo=UTC)
    yield lambda: api.quota.requests.ask("cpu_milli", "16", why="A paper.", until=until)
    yield lambda: api.quota.requests.withdraw(ID)
    yield api.secrets.list
    yield lambda: api.secrets.get(ID)
    yield lambda: api.secrets.create("A", "b")
    yield lambda: api.secrets.replace(ID, "b")
    yield lambda: api.secrets.delete(ID)
    yield api.git_credentials.list
    yield lambda: api.git_credentials.create(
        "a", kind="token", hosts=["git.example.com"], username="git", secret="s"
    )
    yield lambda: api.git_credentials.delete(ID)
    yield api.bookmarks.list
    yield lambda: api.bookmarks.create("a", **chosen)
    yield lambda: api.bookmarks.delete(ID)
    yield api.tokens.list
    yield lambda: api.tokens.create("a", scopes=["read"], expires_in_days=3)
    yield api.tokens.revoke_all
    yield lambda: api.tokens.revoke(ID)


def _operation(request: Request) -> dict[str, Any]:
    path = request.url.removeprefix("https://service.example.com")
    for template, operations in SCHEMA["paths"].items():
        parts = zip(template.split("/"), path.split("/"), strict=False)
        is_it = template.count("/") == path.count("/") and all(
            said == had or said.startswith("{") for said, had in parts
        )
        # `volumes/adopt/` looks like `volumes/{id}/`.
        if is_it and request.method.lower() in operations:
            found: dict[str, Any] = operations[request.method.lower()]
            return found
    raise AssertionError((request.method, path))


def test_every_call_is_in_the_schema_and_every_operation_can_be_called(
    recorder: Recorder, tmp_path: Path
) -> None:
    file = tmp_path / "environment.yml"
    file.write_text("dependencies: [python]")
    site = Site("https://service.example.com", "subnb_test", 0)
    api: Any = Api(recorder, site)
    one: Any = Session(recorder, site, models.SessionInfo.of(session()))
    called = {"sessions_logs_retrieve", "builds_log_retrieve"}

    for call in _calls(api, one, file):
        call()
        request = recorder.requests[-1]
        operation = _operation(request)
        called.add(operation["operationId"])
        known = {each["name"] for each in operation.get("parameters", [])}
        asked = dict(request.params or ())
        assert set(asked) - {"page_size"} <= known, operation["operationId"]
        is_anonymous = "security" not in operation
        assert request.headers.get("Authorization") == (
            None if is_anonymous else "Bearer subnb_test"
        )
        _check_body(request, operation)

    assert OPERATIONS.keys() - called == LEFT


def _check_body(request: Request, operation: dict[str, Any]) -> None:
    if request.content is None:
        assert not operation.get("requestBody", {}).get("required"), operation["operationId"]
        return
    body = yaml.safe_load(request.content)
    if "requestBody" not in operation:
        assert body == {}
        return
    ref = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = SCHEMAS[ref.rpartition("/")[2]]
    assert set(schema.get("required", ())) <= set(body) <= set(schema["properties"]), ref
