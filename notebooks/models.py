"""Sessions, their runs, and what happened."""

import json
import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils import timezone

from environments.models import Build, Environment, EnvironmentVersion
from notebooks.backends.contract import Phase, PhaseTime, RunKey
from notebooks.failures import Explanation, explain
from notebooks.lifetimes import WARNING, Signal, idle_since, minutes, size_change
from notebooks.phases import MAX_DETAIL, from_json
from notebooks.querysets import BookmarkQuerySet, NotebookSessionQuerySet
from notebooks.states import ACTIVE, LAUNCHED, SessionStatus
from quotas.models import ResourceProfile
from submarine_site.core.etags import digest_tag, etag_of
from submarine_site.core.numbers import NextNumber, numbered
from submarine_site.core.resources import Resources
from submarine_site.core.rows import QuickRow
from submarine_site.core.text import MAX_NAME
from volumes.models import Volume


class NotebookSession(QuickRow):
    """One user's notebook server, from request to deletion. Survives stop and start.

    `status` is written by `objects.transition` alone. Profile and environment's version are what
    the next start uses; what a run uses is frozen on the run.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Counted by the database, for clients whose ids are numbers.
    number = models.BigIntegerField(
        unique=True, editable=False, db_default=NextNumber("notebooks_session_number")
    )
    owner = models.ForeignKey(
        # By `session_of_owner`.
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="sessions",
        db_index=False,
    )
    name = models.CharField(max_length=MAX_NAME)
    profile = models.ForeignKey(ResourceProfile, on_delete=models.PROTECT, related_name="sessions")
    environment_version = models.ForeignKey(
        EnvironmentVersion, on_delete=models.PROTECT, related_name="sessions"
    )
    # Whose pool its present or last run was charged to.
    charged_to = models.ForeignKey(
        Group, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # What is its home at the next start; None: the one that the site keeps for its owner.
    home = models.ForeignKey(
        Volume, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # `Setup`, as JSON.
    setup = models.JSONField(default=dict)
    status = models.CharField(max_length=16, choices=SessionStatus, default=SessionStatus.REQUESTED)
    status_changed_at = models.DateTimeField(default=timezone.now)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    current_run = models.OneToOneField(
        "Run", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    last_activity_at = models.DateTimeField(null=True, blank=True)
    last_activity_signal = models.CharField(max_length=8, choices=Signal, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    # NULL is no key, and NULLs do not collide.
    idempotency_key = models.CharField(max_length=200, null=True, editable=False)  # noqa: DJ001
    idempotency_digest = models.CharField(max_length=64, blank=True, editable=False)

    objects = NotebookSessionQuerySet.as_manager()

    class Meta:
        verbose_name = "session"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=models.Q(deleted_at=None),
                name="session_name_unique",
            ),
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="session_key_unique"),
            models.CheckConstraint(
                condition=models.Q(status__in=sorted(SessionStatus.values)),
                name="session_status_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["status"],
                condition=models.Q(status__in=sorted(ACTIVE)),
                name="session_active",
            ),
            models.Index(fields=["owner", "-created_at"], name="session_of_owner"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def environment(self) -> Environment:
        return self.environment_version.environment

    @property
    def notebook_id(self) -> str:
        """Its id to Apache Submarine's clients. Requires its row to have been read."""
        return numbered("notebook", self.created_at, self.number)

    @property
    def etag(self) -> str:
        """Names what its owner can change of it, as HTTP wants it."""
        setup = json.dumps(self.setup, sort_keys=True)
        return digest_tag(self.name, setup, str(self.environment_version_id))

    @property
    def is_launched(self) -> bool:
        """Whether it runs or is on the way there."""
        return self.status in LAUNCHED

    @property
    def idle_stop_at(self) -> datetime | None:
        """When it is stopped unless something happens in it before."""
        run = self.current_run
        if run is None or run.idle_limit is None or self.status != SessionStatus.RUNNING:
            return None
        return idle_since(run.ready_at, self.last_activity_at) + run.idle_limit

    @property
    def ends_soon(self) -> datetime | None:
        """When it is stopped whatever it does, if that is near enough to be warned of."""
        at = self.current_run.stops_at if self.current_run else None
        if at is None or self.status != SessionStatus.RUNNING or at - timezone.now() > WARNING:
            return None
        return at

    @property
    def size_change(self) -> str:
        """How its size now differs from what its run was started with, which goes on; empty if it
        does not.
        """
        if self.current_run is None or not self.is_launched:
            return ""
        return size_change(self.profile, self.current_run)

    @property
    def explanation(self) -> Explanation | None:
        """Why it is in its state, where there is more to say than the state itself."""
        if not self.reason_code:
            return None
        return explain(
            self.reason_code,
            self.reason,
            is_unproven=self.current_run is not None and self.current_run.is_unproven,
            owns_environment=self.environment.owner_id == self.owner_id,
        )


class Run(QuickRow):
    """One start-to-stop of a session, with what it was started with and how it ended."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(
        # By `run_number_unique`.
        NotebookSession,
        on_delete=models.CASCADE,
        related_name="runs",
        db_index=False,
    )
    number = models.PositiveIntegerField()
    profile_name = models.CharField(max_length=80)
    cpu_milli = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    gpus = models.PositiveIntegerField()
    accelerator = models.CharField(max_length=63, default="gpu")
    longest_life_minutes = models.PositiveIntegerField(null=True)
    idle_limit_minutes = models.PositiveIntegerField(null=True)
    # `Placement` of the profile, as JSON.
    placement = models.JSONField(default=dict)
    environment_name = models.CharField(max_length=80)
    environment_number = models.PositiveIntegerField(default=1)
    # `KernelMount`s, as JSON, the default one first; and what is to be built of them before.
    kernels = models.JSONField(default=list)
    builds = models.ManyToManyField(Build, related_name="runs")
    image = models.CharField(max_length=255)
    # The session's `Setup`, as JSON; and what came of its code, `CodeOutcome`s in the same order.
    setup = models.JSONField(default=dict)
    code_outcomes = models.JSONField(default=list)
    # Begun by the service itself, after the run before was lost with its machine.
    is_restart = models.BooleanField(default=False)
    # Begun without what its home would change about how the server starts.
    is_rescue = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    # Why it is still queued.
    held_up = models.CharField(max_length=MAX_DETAIL, blank=True)
    # What the backend has told of its launch: see the module `phases`.
    phases = models.JSONField(default=dict)
    ready_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=255, blank=True)
    exit_code = models.IntegerField(null=True)
    # It failed when no run of the same image had ever been ready.
    is_unproven = models.BooleanField(default=False)
    # Why it is being ended from outside, as seen while it still was there.
    ending_code = models.CharField(max_length=40, blank=True)
    ending = models.CharField(max_length=500, blank=True)
    # Of its server's own word on whether something happens: when it is asked for again at the
    # earliest, when it was last had, and why it is not.
    probe_at = models.DateTimeField(null=True)
    probed_at = models.DateTimeField(null=True)
    probe_failure = models.CharField(max_length=200, blank=True)
    # Processes that ran out of memory while the server lived on.
    oom_kills = models.PositiveIntegerField(default=0)
    log_tail = models.TextField(blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="run_number_unique"),
        ]

    def __str__(self) -> str:
        return f"run {self.number}"

    @property
    def key(self) -> RunKey:
        return RunKey(session_id=self.session_id, run_id=self.pk)

    @property
    def resources(self) -> Resources:
        return Resources(cpu_milli=self.cpu_milli, memory_mib=self.memory_mib, gpus=self.gpus)

    @property
    def longest_life(self) -> timedelta | None:
        return minutes(self.longest_life_minutes)

    @property
    def idle_limit(self) -> timedelta | None:
        return minutes(self.idle_limit_minutes)

    @property
    def stops_at(self) -> datetime | None:
        """When it is stopped, whatever it does."""
        if self.longest_life is None or self.ready_at is None or self.ended_at is not None:
            return None
        return self.ready_at + self.longest_life

    @property
    def seen_phases(self) -> tuple[PhaseTime, ...]:
        """What the backend has told of its launch."""
        return from_json(self.phases)

    @property
    def steps(self) -> list[PhaseTime]:
        """The phases of its launch: it is queued until the first that is seen, each ends where the
        next begins, and none outlasts the run. What a phase waited for is told until it is over.
        """
        seen = self.seen_phases
        ends = [*(one.started_at for one in seen[1:]), *([None] if seen else [])]
        queued = PhaseTime(
            phase=Phase.QUEUED,
            started_at=self.created_at,
            finished_at=seen[0].started_at if seen else self.ended_at,
            detail="" if seen else self.held_up,
        )
        return [
            queued,
            *(
                replace(
                    one,
                    finished_at=one.finished_at or end or self.ended_at,
                    detail="" if end else one.detail,
                )
                for one, end in zip(seen, ends, strict=True)
            ),
        ]


class SessionEvent(models.Model):
    """Something that happened to a session. Written once, never changed.

    A change of state has `from_status` and `to_status`; a note has neither.
    """

    session = models.ForeignKey(
        # By `event_of_session`.
        NotebookSession,
        on_delete=models.CASCADE,
        related_name="events",
        db_index=False,
    )
    run = models.ForeignKey(Run, on_delete=models.CASCADE, null=True, related_name="events")
    created_at = models.DateTimeField(default=timezone.now)
    from_status = models.CharField(max_length=16, choices=SessionStatus, blank=True)
    to_status = models.CharField(max_length=16, choices=SessionStatus, blank=True)
    code = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=500, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        verbose_name = "event"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["session", "-id"], name="event_of_session"),
            models.Index(
                fields=["created_at"],
                condition=models.Q(to_status=SessionStatus.FAILED),
                name="event_failed",
            ),
        ]

    def __str__(self) -> str:
        return self.message or self.to_status

    @property
    def explanation(self) -> Explanation:
        """What the catalogue says of it. Requires that it has a code."""
        return explain(self.code, self.message)


class RunBaseline(models.Model):
    """The newest run that the database knew when workers were last started: one row.

    A database that is restored from a backup is older than the runs begun after the backup. Those
    are newer than the baseline, and are not to be taken for leftovers.
    """

    # None: it knew none.
    newest_run_at = models.DateTimeField(null=True)
    noted_at = models.DateTimeField(default=timezone.now)
    # Whether all runs were compared with it. Before that, a newer one would hide what is lost.
    is_applied = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"newest run at {self.newest_run_at}"


class OrphanedRun(models.Model):
    """A run that the backend has and that no row in `Run` describes, for as long as that is so.

    `hold` says why it is left alone until an operator decides. One without is removed when it has
    been here for `orphans.GRACE`. A held one that the backend does not list any more is kept for
    `orphans.KEPT_WHEN_GONE`: it may only have been out of sight.
    """

    class Hold(models.TextChoices):
        NEWER = "newer", "newer than the database"
        MANY = "many", "one of many"

    # Ids of the backend's labels: there are no rows to refer to.
    run_id = models.UUIDField(primary_key=True, editable=False)
    session_id = models.UUIDField(editable=False)
    # Of `RunDescription`.
    began_at = models.DateTimeField(null=True)
    owner_name = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=200, blank=True)
    record = models.JSONField(default=dict)
    first_seen_at = models.DateTimeField(default=timezone.now)
    hold = models.CharField(max_length=8, choices=Hold, blank=True)
    # By an operator.
    removal_requested_at = models.DateTimeField(null=True)
    # By the service: from then on it cannot be adopted.
    removal_began_at = models.DateTimeField(null=True)
    # When the backend ceased to list it.
    gone_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "orphaned run"
        ordering = ["-began_at", "pk"]

    def __str__(self) -> str:
        return self.name or str(self.run_id)

    @property
    def key(self) -> RunKey:
        return RunKey(session_id=self.session_id, run_id=self.run_id)


class Bookmark(models.Model):
    """What a user starts sessions with time and again: names from the catalogues, and a `Setup`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="bookmarks"
    )
    name = models.CharField(max_length=MAX_NAME)
    profile = models.CharField(max_length=63)
    environment = models.CharField(max_length=63)
    setup = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    objects = BookmarkQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="bookmark_name_unique")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def etag(self) -> str:
        """Its tag: a bookmark does not change."""
        return etag_of(self.created_at)
