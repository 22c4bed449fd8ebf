"""What a session runs: environments, their versions, and what is built of these."""

from dataclasses import replace
from math import ceil

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.kernels import DEFAULTS, Kernel
from environments.querysets import EnvironmentQuerySet
from environments.states import UNFINISHED, BuildQuerySet, BuildState
from submarine_site.core.catalogue import CATALOGUE_NAME, CatalogueEntry, TransientEntry
from submarine_site.core.etags import digest_tag, etag_of
from submarine_site.core.numbers import NextNumber, numbered
from submarine_site.core.resources import Resources
from submarine_site.core.rows import QuickRow


class Environment(TransientEntry):
    """An entry of the catalogue. What it runs is in its versions; the newest is what it offers.

    One that is deleted stays for the runs that had it; its name is free.
    """

    name = models.CharField(
        max_length=63, validators=[CATALOGUE_NAME], help_text="How programs call it."
    )
    # Counted by the database, for clients whose ids are numbers.
    number = models.BigIntegerField(
        unique=True, editable=False, db_default=NextNumber("environments_environment_number")
    )
    # Versions are made by `services` alone, which sets this with them.
    newest = models.OneToOneField(
        "EnvironmentVersion",
        on_delete=models.RESTRICT,
        null=True,
        editable=False,
        related_name="+",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="environments",
        help_text="Whose it is. Nobody's: the site's.",
    )
    # Set with every change: who changes what is older meanwhile is told.
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = EnvironmentQuerySet.as_manager()

    class Meta(CatalogueEntry.Meta):
        # The site's first.
        ordering = [models.F("owner").asc(nulls_first=True), "position", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(deleted_at=None, owner=None),
                name="environment_site_name_unique",
            ),
            # Not of all users together: a name that is taken would tell that it is.
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=models.Q(deleted_at=None),
                name="environment_own_name_unique",
            ),
        ]

    @property
    def environment_id(self) -> str:
        """Its id to Apache Submarine's clients."""
        return numbered("environment", self.created_at, self.number)

    @property
    def etag(self) -> str:
        """Names the state it is in, as HTTP wants it."""
        return etag_of(self.updated_at)


class Build(models.Model):
    """One kernel, built or to be built for the programs of an image; for all who need the same."""

    State = BuildState

    digest = models.CharField(max_length=64, unique=True)
    # `Kernel`, as JSON.
    kernel = models.JSONField()
    image = models.CharField(max_length=255)
    state = models.CharField(max_length=16, choices=BuildState, default=BuildState.QUEUED)
    attempt = models.PositiveIntegerField(default=1)
    # Attempts in a row that ended without a word why.
    losses = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    size_bytes = models.PositiveBigIntegerField(null=True)
    # What was installed, exactly.
    lock = models.JSONField(null=True)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.CharField(max_length=500, blank=True)
    log_tail = models.TextField(blank=True)

    objects = BuildQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=sorted(BuildState.values)),
                name="build_state_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state"],
                condition=models.Q(state__in=sorted(UNFINISHED)),
                name="build_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kernel['name']} {self.digest[:12]}"

    @property
    def etag(self) -> str:
        """Its tag, which changes with each step of an attempt."""
        return digest_tag(self.state, self.attempt, self.started_at, self.finished_at)

    @property
    def size(self) -> str:
        """What was built, on disk, with its unit: `512 MiB`, `1.2 GiB`; empty until it is known."""
        if self.size_bytes is None:
            return ""
        mib = ceil(self.size_bytes / 1024**2)
        return f"{mib} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"  # noqa: PLR2004


class EnvironmentVersion(QuickRow):
    """What an environment runs, as it was at some time. Written once, never changed."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    image = models.CharField(max_length=255)
    # `Kernel`s, as JSON; the first is the one of new notebooks. Specs are in their normal form.
    kernels = models.JSONField(default=list)
    # The same as their author wrote them, which is read back; also such as are not built.
    requested_kernels = models.JSONField(default=list)
    needs_gpu = models.BooleanField("needs a GPU", default=False)
    smallest_cpu_milli = models.PositiveIntegerField("smallest CPU (milli)", default=0)
    smallest_memory_mib = models.PositiveIntegerField("smallest memory (MiB)", default=0)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    # One for each of its kernels, made by `environments.builds.ensure`.
    builds = models.ManyToManyField(Build, related_name="versions", editable=False)

    class Meta:
        verbose_name = "version"
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "number"], name="environment_version_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.environment} {self.number}"

    @property
    def least(self) -> Resources:
        """The smallest size that will do, beside a GPU where one is needed."""
        return Resources(cpu_milli=self.smallest_cpu_milli, memory_mib=self.smallest_memory_mib)

    def lacks(self, resources: Resources) -> str:
        """Say what of its needs these resources leave unmet; nothing if they will do."""
        if self.needs_gpu and not resources.gpus:
            return "a GPU"
        if resources.cpu_milli < self.least.cpu_milli:
            return f"{self.least.cpu} CPU"
        if resources.memory_mib < self.least.memory_mib:
            return f"{self.least.memory} of memory"
        return ""

    def remedy(self, resources: Resources) -> str:
        """Say which size to take instead of one with these resources."""
        return "one with a GPU" if self.needs_gpu and not resources.gpus else "a larger one"

    @property
    def declared(self) -> tuple[Kernel, ...]:
        """Its kernels, the default one first."""
        return tuple(Kernel.from_json(kernel) for kernel in self.kernels)

    @property
    def requested(self) -> tuple[Kernel, ...]:
        """Its kernels as their author wrote them; empty where that was not kept."""
        return tuple(Kernel.from_json(kernel) for kernel in self.requested_kernels)

    @property
    def as_written(self) -> tuple[Kernel, ...]:
        """The kernels that it declares, with channels and packages as their author wrote them, in a
        form that a new version takes.
        """
        requested = {kernel.name: kernel for kernel in self.requested}
        written = ((requested.get(each.name, each), each.display_name) for each in self.declared)
        return tuple(
            replace(
                kernel,
                display_name=display_name,
                channels=tuple(each for each in kernel.channels if each != DEFAULTS),
            )
            for kernel, display_name in written
        )
