"""What a backend is: the one interface behind which sessions run, in our words.

Every call is idempotent and returns at once: none waits for a server to start or end, the
reconciler does that by looking again. `start` of what runs and `stop` of what is gone succeed.
A remote call has a timeout. Two errors leave a backend: `BackendRefused` (it will not work however
often it is tried; its message is for the user) and `BackendUnavailable` (try again later).

Anything that is ours carries its session's and run's id, so that it is found without a row.

Whoever starts and stops holds the session's lock (`notebooks.lifecycle`): a backend need not know
that a run which was stopped, and is gone, must not be begun again.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self
from uuid import UUID

from submarine_site.core.placement import Placement
from submarine_site.core.resources import Resources
from volumes.contract import Keeper, VolumeSpec

SECRETS_FOLDER = "SUBMARINE_SECRETS"
"""The variable that says where a session's secret files are."""


@dataclass(frozen=True, slots=True, order=True)
class RunKey:
    """One run of one session. All names of a run's objects come from these two ids."""

    session_id: UUID
    run_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSource:
    """A git repository that is in the home before the server starts, unless its folder is there.

    `ref` is a branch, a tag or a commit's full id; empty: what the repository itself offers.
    `folder` is below the home. `depth` is how many commits to fetch; 0: all. `sparse` is the one
    folder of the repository to check out; empty: all. `credential` is the id of the owner's own.
    """

    url: str
    ref: str = ""
    folder: str = ""
    depth: int = 1
    submodules: bool = False
    sparse: str = ""
    credential: UUID | None = None

    def as_json(self) -> dict[str, Any]:
        """What a JSON column can hold, for `from_json`."""
        return asdict(self) | {"credential": self.credential and str(self.credential)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` gave, also where a version with fewer fields gave it."""
        known = {each.name: kept[each.name] for each in fields(cls) if each.name in kept}
        credential = known.pop("credential", None)
        return cls(**known, credential=credential and UUID(credential))


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAccess:
    """A credential for these hosts alone: a token with its user name, or else a private key."""

    hosts: tuple[str, ...]
    username: str = ""
    token: str = field(default="", repr=False)
    ssh_key: str = field(default="", repr=False)


class CodeStatus(StrEnum):
    """What came of a code source at a start."""

    FETCHED = "fetched"
    KEPT = "kept"
    """Its folder was there already, and is as it was."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeOutcome:
    """`code` and `message` say why one failed; one that did not may have a message too."""

    status: CodeStatus
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelMount:
    """A kernel that was built: where it is in the store, and what Jupyter calls it."""

    digest: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeMount:
    """A volume that a run has at `path`, which is below the home and of no other's."""

    volume: VolumeSpec
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpec:
    """All that a backend needs to start one run.

    `base_url` is the path Jupyter serves under, with a slash at both ends. `token` is the Jupyter
    token of this run: never put it on a command line, into a pod spec or a log. `home` is the
    volume that is the home and working folder; None: a folder that goes with the run. Of `mounts`
    none is within another. `beside` are those of them all that another run has, and one machine
    alone may have: this one is put on that machine. `is_rescue`: the files of the server itself,
    and what the home would change about how it starts, are elsewhere.

    `kernels` are beside the server's own one, the first is that of new notebooks; what they are
    made of cannot be written to. `git_access` are the credentials that `code` names: as secret as
    the token.

    `variables` are put into the server's environment, and `secrets` likewise, as secret as the
    token; what the backend itself sets there stays. `secret_files` are, by their names, files that
    the server alone can read, in the folder that the variable `SECRETS_FOLDER` names, until the
    run ends.

    `record` is JSON with what the rows of session and run consist of. It is kept with the run for
    `describe`, in plain text, and never holds a secret.
    """

    key: RunKey
    display_name: str
    owner: str
    image: str
    resources: Resources
    base_url: str
    token: str = field(repr=False)
    home: VolumeSpec | None = None
    mounts: tuple[VolumeMount, ...] = ()
    beside: frozenset[UUID] = frozenset()
    is_rescue: bool = False
    placement: Placement = field(default_factory=Placement)
    kernels: tuple[KernelMount, ...] = ()
    code: tuple[CodeSource, ...] = ()
    git_access: Mapping[UUID, GitAccess] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_files: Mapping[str, str] = field(default_factory=dict, repr=False)
    record: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """What a backend knows of a run by itself, for a database that has no row of it.

    `created_at` is when the backend began it, by the service's clock; None: not known. `record` is
    that of its `SessionSpec`; empty where an older version of the service began the run. Whoever
    may change the backend's objects can have changed all of it.
    """

    created_at: datetime | None = None
    owner: str = ""
    display_name: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)


class RunState(StrEnum):
    """What the backend sees of a run."""

    STARTING = "starting"
    """It exists; its Jupyter server does not answer yet."""
    READY = "ready"
    """Its Jupyter server has answered at `address`."""
    STOPPING = "stopping"
    """It was asked to end and has not yet."""
    EXITED = "exited"
    """It ended by itself; `stop` removes what is left of it."""


class Phase(StrEnum):
    """The steps of a launch, in the order in which they happen. Not every backend has them all."""

    QUEUED = "queued"
    """Asked for; the backend has not taken it yet."""
    SCHEDULING = "scheduling"
    """A place is looked for."""
    VOLUME = "volume"
    """What it stores is brought to that place."""
    PULLING_IMAGE = "pulling_image"
    PREPARING = "preparing"
    """All that comes before the server itself."""
    STARTING_SERVER = "starting_server"
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTime:
    """When a phase began and, if it is over, when it ended. Times are aware and in UTC."""

    phase: Phase
    started_at: datetime
    finished_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a look at one run showed.

    STARTING with a `failure_code`: it will not start, whatever is waited for. `waits`: it is held
    up by what takes the time it takes (a free place, an image that comes in), so that no deadline
    runs; the last phase's detail says by what.

    `address` is where the gateway reaches it: `unix:/path/to/socket` or `http://host:port`; set
    from READY on. `exit_code` is set when EXITED: negative is the number of the signal that ended
    the server, as in `subprocess`. `failure_code` is the backend's own word for why it ended or
    cannot start, from the catalogue in `failures`, where it knows better than the exit code.

    `code` is what came of the spec's, in its order, set from READY on; None: there is none. Where
    it is shorter, nothing is known of the rest.
    """

    key: RunKey
    state: RunState
    address: str = ""
    phases: tuple[PhaseTime, ...] = ()
    exit_code: int | None = None
    failure_code: str = ""
    failure_detail: str = ""
    waits: bool = False
    code: tuple[CodeOutcome, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that all pods may have together; None: unbounded. GPUs by their resource's name, of
    which those that are not named are unbounded.
    """

    pods: int | None = None
    cpu_milli: int | None = None
    memory_mib: int | None = None
    gpus: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What there is for sessions in all, in use or not. GPUs by their resource's name."""

    cpu_milli: int
    memory_mib: int
    gpus: Mapping[str, int] = field(default_factory=dict)


BUILD_CPU_MILLI = 2000
"""What a build may have of the processor."""


class Backend(Keeper, Protocol):
    """Runs sessions, and keeps their volumes. See the module's docstring for the rules that hold
    for every method.
    """

    def start(self, spec: SessionSpec) -> None:
        """Begin the run, or leave it alone if it has begun, also if it has ended since.

        Home and volumes must exist (`ensure_volume`): else it is refused, or seen to fail with
        `volume_missing`. Where the home has no room left for a server's files, it ends with
        `home_full`, unless it is a rescue.
        """

    def stop(self, key: RunKey) -> None:
        """End the run gracefully, then by force, and remove what is left of it."""

    def observe(self, key: RunKey) -> Observed | None:
        """What this run is now; None when it is confirmed that nothing of it runs or remains."""

    def observe_all(self) -> Mapping[RunKey, Observed]:
        """Every run of ours that this backend has, whether or not there is a row for it. Phases may
        be left out.
        """

    def describe(self, keys: Collection[RunKey]) -> Mapping[RunKey, RunDescription]:
        """Return what was written down of these runs when they were begun. Runs that are gone are
        left out.
        """

    def changes(self) -> Iterator[Mapping[RunKey, Observed | None]]:
        """Block, and yield the runs about which something changed, as they are seen now; None:
        nothing of it is left. Runs may be repeated and may be missed. Never ends by itself.

        Now and then it yields nothing at all, so that who follows it is seen to be alive; it does
        not while it cannot hear of changes.
        """

    def logs(self, key: RunKey, *, lines: int) -> str:
        """The last `lines` lines the server wrote, also after it ended, for as long as anything of
        the run is there; empty if there are none.
        """

    def forget(self, session_id: UUID) -> None:
        """Remove what is kept of the session's past runs, such as their logs."""

    def capacity(self) -> Capacity | None:
        """Return what there is for sessions; None where that is not to be seen."""

    def keep_below(self, ceiling: Ceiling) -> None:
        """Have what runs the sessions refuse by itself all that goes beyond this, where it can and
        the site wants it to. Called before each `tidy`.
        """

    def tidy(self) -> None:
        """Put right what concerns no single run, such as leftovers that `observe_all` does not
        show. Called every few minutes, by one process at a time.
        """
