"""What the service tells, as it tells it. A test keeps these in step with its schema.

Fields that a newer service has besides are in `raw`; those that an older one lacks are empty.
States and kinds are plain strings: a newer service may have more of them.
"""

# No `from __future__ import annotations`: the types of fields are read at run time.
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Optional,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from submarine_client.errors import OTHER_VERSION, UnexpectedAnswer

if TYPE_CHECKING:
    from typing_extensions import Self


class Model:
    """Something that the service told. `raw` is the whole of it."""

    raw: Mapping[str, Any]

    @classmethod
    def of(cls, data: Any) -> "Self":
        """What `data`, read from JSON, says. Raises `UnexpectedAnswer` if it is something else."""
        if not isinstance(data, Mapping):
            raise _unexpected(cls.__name__, data)
        read = _readers(cls)
        # What it is told by comes first in each.
        if data.get(next(iter(read))) is None:
            raise _unexpected(cls.__name__, data)
        told = {
            name: reader(data.get(name))
            for name, reader in read.items()
            if name in data or not hasattr(cls, name)
        }
        made = cls(**told)
        object.__setattr__(made, "raw", data)
        return made


def _unexpected(what: str, data: Any) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"The service's answer is not understood: {str(data)[:80]!r} is no {what}.",
        advice=OTHER_VERSION,
    )


Reader = Callable[[Any], Any]


_known: dict[type[Any], dict[str, Reader]] = {}


def _readers(model: type[Any]) -> dict[str, Reader]:
    if model not in _known:
        hints = get_type_hints(model)
        _known[model] = {each.name: _reader(hints[each.name]) for each in fields(model)}
    return _known[model]


def _reader(kind: Any) -> Reader:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Union:
        read = _reader(inner[0])
        return lambda value: None if value is None else read(value)
    if origin is list:
        item = _reader(inner[0])
        return lambda value: [item(each) for each in _plain(list, value)]
    if origin is dict:
        return lambda value: _plain(dict, value)
    if kind is datetime:
        return _time
    if issubclass(kind, Model):
        model: type[Model] = kind
        return model.of
    return lambda value: _plain(kind, value)


def _plain(kind: type, value: Any) -> Any:
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise _unexpected(kind.__name__, value)
    return value


def _time(value: Any) -> datetime:
    try:
        # Python 3.9 does not know the Z.
        return datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError as error:
        raise _unexpected("time", value) from error


@dataclass(frozen=True)
class Reason(Model):
    """Why a session is in its state, who can mend it and what to do next."""

    code: str
    title: str
    message: str
    mender: str
    advice: str


@dataclass(frozen=True)
class Phase(Model):
    phase: str
    started_at: datetime
    finished_at: Optional[datetime]
    detail: str


@dataclass(frozen=True)
class Run(Model):
    """The present or last run, with what it was started with."""

    id: str
    number: int
    profile_name: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    environment_name: str
    environment_version: int
    image: str
    is_rescue: bool
    created_at: datetime
    ready_at: Optional[datetime]
    ended_at: Optional[datetime]
    exit_code: Optional[int]
    phases: list[Phase]
    accelerator: str
    longest_life_minutes: Optional[int]
    idle_limit_minutes: Optional[int]
    stops_at: Optional[datetime]


@dataclass(frozen=True)
class Code(Model):
    """A repository of the present or last run, and what came of it."""

    url: str
    ref: str
    folder: str
    depth: int
    submodules: bool
    sparse: str
    credential: Optional[str]
    status: str
    code: str
    message: str


@dataclass(frozen=True)
class Mount(Model):
    """One of your volumes, and where it is."""

    volume: str
    path: str
    read_only: bool


@dataclass(frozen=True)
class SessionInfo(Model):
    """A session as it was when it was read."""

    id: str
    name: str
    owner: str
    status: str
    status_changed_at: datetime
    reason: Optional[Reason]
    profile: str
    environment: str
    environment_version: int
    newest_environment_version: Optional[int]
    variables: dict[str, str]
    secrets: list[str]
    code: list[Code]
    opens: str
    home: Optional[str]
    mounts: list[Mount]
    created_at: datetime
    last_activity_at: Optional[datetime]
    run: Optional[Run]
    last_activity_signal: str
    idle_stop_at: Optional[datetime]
    size_change: str
    charged_to: Optional[str]


@dataclass(frozen=True)
class Event(Model):
    id: int
    created_at: datetime
    run: Optional[str]
    from_status: str
    to_status: str
    code: str
    message: str
    actor: Optional[str]


@dataclass(frozen=True)
class Opened(Model):
    """An address that lets one browser in, once, within 30 seconds."""

    url: str
    base_url: str


@dataclass(frozen=True)
class Log(Model):
    """The last lines that the session's present or last server wrote."""

    run: str
    text: str


@dataclass(frozen=True)
class Profile(Model):
    name: str
    display_name: str
    description: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    accelerator: str
    longest_life_minutes: Optional[int]
    idle_limit_minutes: Optional[int]
    deprecated: bool
    deprecation: str
    successor: Optional[str]


@dataclass(frozen=True)
class Resolved(Model):
    """The channels and packages of a kernel in their normal form, as they are built."""

    channels: list[str]
    conda: list[str]
    pip: list[str]


_NOT_TOLD = Resolved.of({"channels": [], "conda": [], "pip": []})
"""By older services."""


@dataclass(frozen=True)
class Kernel(Model):
    """A Jupyter kernel with packages of its own, beside the server's Python. Channels and packages
    are as their author wrote them.
    """

    name: str
    display_name: str
    channels: list[str]
    conda: list[str]
    pip: list[str]
    resolved: Resolved = _NOT_TOLD


@dataclass(frozen=True)
class Build(Model):
    """What is built of a kernel, once, for all who need the same."""

    digest: str
    kernel: str
    state: str
    attempt: int
    created_at: datetime
    started_at: Optional[datetime]
    finished_at: Optional[datetime]
    size_bytes: Optional[int]
    error_code: str
    error: str


@dataclass(frozen=True)
class BuildLog(Model):
    """What a build said last."""

    digest: str
    state: str
    attempt: int
    text: str


@dataclass(frozen=True)
class Version(Model):
    """What an environment runs, as it was at some time. It does not change."""

    number: int
    image: str
    kernels: list[Kernel]
    builds: list[Build]
    needs_gpu: bool
    smallest_cpu_milli: int
    smallest_memory_mib: int
    note: str
    created_by: Optional[str]
    created_at: datetime


@dataclass(frozen=True)
class Environment(Model):
    name: str
    display_name: str
    description: str
    image: str
    owner: Optional[str]
    groups: list[str]
    enabled: bool
    hidden: bool
    deprecated: bool
    deprecation: str
    successor: Optional[str]
    created_at: datetime
    updated_at: datetime
    newest: Version


@dataclass(frozen=True)
class Attachment(Model):
    """A session that has a volume, or will at its next start. `path` is below its home; empty: the
    volume is its home. While `is_active`, something of the session may run.
    """

    session_id: str
    session: str
    status: str
    path: str
    read_only: bool
    is_active: bool


@dataclass(frozen=True)
class Volume(Model):
    """Storage that outlives sessions. Sizes are in MiB; null: it is not known or has no bounds."""

    id: str
    name: str
    kind: str
    volume_class: Optional[str]
    access_mode: str
    is_adopted: bool
    size_mib: Optional[int]
    wanted_mib: Optional[int]
    largest_mib: Optional[int]
    capacity_mib: Optional[int]
    used_mib: Optional[int]
    seen_at: Optional[datetime]
    state: str
    reason_code: str
    reason: str
    attachments: list[Attachment]
    created_at: datetime
    updated_at: datetime
    trashed_at: Optional[datetime]
    removed_after: Optional[datetime]


@dataclass(frozen=True)
class VolumeClass(Model):
    name: str
    display_name: str
    description: str
    access_mode: str
    growable: bool
    usual_mib: int
    largest_mib: int


@dataclass(frozen=True)
class Secret(Model):
    """`sessions` are the names of those that pick it, in a list."""

    id: str
    name: str
    kind: str
    created_at: datetime
    updated_at: datetime
    last_used_at: Optional[datetime]
    sessions: list[str]


@dataclass(frozen=True)
class GitCredential(Model):
    """`sessions` are the names of those that use it, in a list."""

    id: str
    name: str
    kind: str
    hosts: list[str]
    username: str
    public_key: str
    fingerprint: str
    created_at: datetime
    last_used_at: Optional[datetime]
    sessions: list[str]


@dataclass(frozen=True)
class Token(Model):
    id: str
    name: str
    hint: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: Optional[datetime]
    last_used_from: Optional[str]


@dataclass(frozen=True)
class NewToken(Token):
    """A token just made: `token` is shown this once."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class Me(Model):
    username: str
    first_name: str
    last_name: str
    email: str
    is_operator: bool
    scopes: list[str]


@dataclass(frozen=True)
class Bookmark(Model):
    """`setup` is what else of a new session it fills in: code, variables, mounts and so on."""

    id: str
    name: str
    profile: str
    environment: str
    setup: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Rule(Model):
    """A limit that has a word on it: for you, each of a `group`, or each user, by `scope`."""

    scope: str
    group: Optional[str]
    limit: Optional[int]
    set_by: Optional[str]
    set_at: datetime
    reason: str
    until: Optional[datetime]


@dataclass(frozen=True)
class Holder(Model):
    """What holds of a resource. `can_stop`: to stop it gives back what it holds; `is_ending`: it
    holds only until it is gone.
    """

    kind: str
    id: str
    name: str
    address: str
    amount: int
    pool: str
    can_stop: bool
    is_ending: bool


@dataclass(frozen=True)
class Bar(Model):
    """Use of a limit, in the resource's unit: thousandths of a core, MiB, or pieces. `limit` null:
    unlimited. `text` is the same for people.
    """

    resource: str
    label: str
    used: int
    limit: Optional[int]
    text: str


@dataclass(frozen=True)
class Had(Bar):
    """A resource: what you hold of it, what you may, and why. `rule` decided, of those that were
    `considered`.
    """

    rule: Optional[Rule]
    considered: list[Rule]
    holders: list[Holder]


@dataclass(frozen=True)
class Pool(Model):
    """What all who charge a group's pool use of it."""

    name: str
    resources: list[Bar]


@dataclass(frozen=True)
class Quota(Model):
    """What you have and may have. `charge_to` is the pool that is charged where none is named."""

    resources: list[Had]
    pools: list[Pool]
    charge_to: str


@dataclass(frozen=True)
class Shortage(Model):
    """A limit that leaves no room. `holders` are the sessions of yours that have of it."""

    scope: str
    resource: str
    limit: int
    used: int
    asked: int
    pool: str
    message: str
    holders: list[Holder]


@dataclass(frozen=True)
class Checked(Model):
    """Whether a session of a size would be let in now. Only its start decides."""

    fits: bool
    shortages: list[Shortage]


@dataclass(frozen=True)
class QuotaRequest(Model):
    """What you asked for. `word` is what operators said to it."""

    id: str
    resource: str
    amount: int
    text: str
    until: Optional[datetime]
    why: str
    state: str
    created_at: datetime
    decided_at: Optional[datetime]
    word: str
