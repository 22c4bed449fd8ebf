"""What a session may be, how much people may have, and who holds what of it."""

import uuid
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from quotas import validators
from quotas.amounts import CPU, FIXED, MAX_AMOUNT, MEMORY, SESSIONS, Amounts, gpu, is_gpu, show
from quotas.querysets import ProfileQuerySet, QuotaRequestQuerySet, ReservationQuerySet
from submarine_site.core.catalogue import CATALOGUE_NAME, CatalogueEntry, TransientEntry
from submarine_site.core.etags import etag_of
from submarine_site.core.placement import Placement
from submarine_site.core.resources import Resources
from submarine_site.core.rows import QuickRow

MAX_MINUTES = 366 * 24 * 60


class ResourceProfile(TransientEntry):
    """A T-shirt size. What it says is copied to a run when that is requested."""

    cpu_milli = models.PositiveIntegerField(
        "CPU (milli)",
        validators=[MinValueValidator(1)],
        help_text="In thousandths of a core: 2000 is 2 CPUs.",
    )
    memory_mib = models.PositiveIntegerField("memory (MiB)", validators=[MinValueValidator(1)])
    gpus = models.PositiveIntegerField("GPUs", default=0)
    accelerator = models.CharField(
        "class of its GPUs",
        max_length=63,
        default="gpu",
        validators=[CATALOGUE_NAME],
        help_text="What they are counted as: limits are set for each class.",
    )
    longest_life_minutes = models.PositiveIntegerField(
        "longest life (minutes)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_MINUTES)],
        help_text="After which a session is stopped, whatever it does. None: never.",
    )
    idle_limit_minutes = models.PositiveIntegerField(
        "idle limit (minutes)",
        null=True,
        blank=True,
        validators=[MinValueValidator(5), MaxValueValidator(MAX_MINUTES)],
        help_text="After which a session is stopped in which nothing happens. None: never.",
    )
    shared_memory_mib = models.PositiveIntegerField(
        "shared memory (MiB)",
        default=64,
        validators=[MinValueValidator(1)],
        help_text="The size of /dev/shm. What is in it counts as memory of the session.",
    )
    cpu_overcommit = models.DecimalField(
        "CPU overcommit",
        max_digits=5,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(1)],
        help_text="A session reserves its CPU divided by this. 1 reserves all of it.",
    )
    memory_overcommit = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(1)],
        help_text=(
            "A session reserves its memory divided by this. Above 1, sessions can be ended when "
            "their machine runs out of memory."
        ),
    )
    gpu_resource = models.CharField(
        "GPU resource",
        max_length=317,
        default="nvidia.com/gpu",
        validators=[validators.resource_name],
        help_text="What the cluster calls a GPU.",
    )
    node_selector = models.JSONField(
        default=dict,
        blank=True,
        validators=[validators.labels],
        help_text='Labels that a node must have: {"pool": "notebooks"}.',
    )
    preferred_nodes = models.JSONField(
        default=dict,
        blank=True,
        validators=[validators.labels],
        help_text="Labels of nodes to take first; others do as well.",
    )
    tolerations = models.JSONField(
        default=list,
        blank=True,
        validators=[validators.tolerations],
        help_text=(
            'Taints that it bears: [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}].'
        ),
    )
    priority_class = models.CharField(
        max_length=253,
        blank=True,
        validators=[validators.dns_subdomain],
        help_text="A PriorityClass of the cluster. None: the cluster's default.",
    )
    service_account = models.CharField(
        max_length=253,
        blank=True,
        validators=[validators.service_account],
        help_text=(
            "A ServiceAccount whose token its sessions get, with all its rights. None: no token."
        ),
    )
    pod_patch = models.JSONField(
        default=dict,
        blank=True,
        validators=[validators.pod_patch],
        help_text=(
            "What is added to the pod: labels, annotations, env, volumes, volumeMounts, sidecars."
        ),
    )

    objects = ProfileQuerySet.as_manager()

    class Meta(CatalogueEntry.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(cpu_milli__gt=0, memory_mib__gt=0),
                name="profile_has_cpu_and_memory",
            ),
            models.CheckConstraint(
                condition=models.Q(cpu_overcommit__gte=1, memory_overcommit__gte=1),
                name="profile_overcommit_is_1_or_more",
            ),
        ]

    def clean(self) -> None:
        """Check what fields say together, and take an emptied one for its default."""
        self.node_selector = self.node_selector or {}
        self.preferred_nodes = self.preferred_nodes or {}
        self.tolerations = self.tolerations or []
        self.pod_patch = self.pod_patch or {}
        # None: what was given is not a number.
        if (self.shared_memory_mib or 0) > (self.memory_mib or 0) > 0:
            raise ValidationError(
                f"The shared memory is {self.shared_memory_mib} MiB, more than the memory of "
                f"{self.memory_mib} MiB, which it counts in."
            )
        if self.successor_id == self.pk:
            raise ValidationError({"successor": "A size cannot take its own place."})

    @property
    def resources(self) -> Resources:
        return Resources(cpu_milli=self.cpu_milli, memory_mib=self.memory_mib, gpus=self.gpus)

    @property
    def amounts(self) -> Amounts:
        """What a session of it holds."""
        return session_amounts(self.resources, self.accelerator)

    @property
    def placement(self) -> Placement:
        return Placement(
            shared_memory_mib=self.shared_memory_mib,
            cpu_overcommit=self.cpu_overcommit,
            memory_overcommit=self.memory_overcommit,
            gpu_resource=self.gpu_resource,
            node_selector=self.node_selector,
            preferred_nodes=self.preferred_nodes,
            tolerations=tuple(self.tolerations),
            priority_class=self.priority_class,
            service_account=self.service_account,
            pod_patch=self.pod_patch,
        )


def session_amounts(resources: Resources, accelerator: str) -> Amounts:
    """Return what a session of this size holds."""
    amounts = {SESSIONS: 1, CPU: resources.cpu_milli, MEMORY: resources.memory_mib}
    return amounts | ({gpu(accelerator): resources.gpus} if resources.gpus else {})


class Scope(models.TextChoices):
    """Whom a limit is for."""

    DEFAULT = "default", "each user"
    GROUP = "group", "each member of a group"
    USER = "user", "one user"
    POOL = "pool", "a group's pool"
    SITE = "site", "the whole site"


_OF_A_GROUP = [Scope.GROUP.value, Scope.POOL.value]


class Limit(models.Model):
    """How much of a resource may be held. No amount is unlimited; no row is no word on it.

    One with an end stands before one without while it lasts, and then no more: a boost takes
    itself back.
    """

    scope = models.CharField(max_length=8, choices=Scope, default=Scope.DEFAULT)
    group = models.ForeignKey(
        Group, on_delete=models.CASCADE, null=True, blank=True, related_name="limits"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="limits",
    )
    resource = models.CharField(max_length=70, validators=[validators.resource])
    amount = models.PositiveBigIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(MAX_AMOUNT)]
    )
    expires_at = models.DateTimeField("until", null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    set_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["scope", "group", "user", "resource", "expires_at"]
        constraints = [
            models.UniqueConstraint(
                "scope",
                Coalesce("group", 0),
                Coalesce("user", 0),
                "resource",
                models.Case(models.When(expires_at=None, then=0), default=1),
                name="limit_unique",
                violation_error_message="There is such a limit already.",
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(scope__in=_OF_A_GROUP, group__isnull=False, user__isnull=True)
                    | models.Q(scope=Scope.USER.value, group__isnull=True, user__isnull=False)
                    | models.Q(
                        scope__in=[Scope.DEFAULT.value, Scope.SITE.value],
                        group__isnull=True,
                        user__isnull=True,
                    )
                ),
                name="limit_is_for_someone",
                violation_error_message=(
                    "A limit for a user names the user, one for a group or its pool the group, and "
                    "any other neither."
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.shown}"

    def clean(self) -> None:
        """Check that it names whom its scope says it is for, and nobody else."""
        wanted = {"user": self.scope == Scope.USER, "group": self.scope in _OF_A_GROUP}
        given = {"user": self.user_id, "group": self.group_id}
        faults = {}
        for name, is_wanted in wanted.items():
            if is_wanted and given[name] is None:
                faults[name] = f"It is for {Scope(self.scope).label}: name the {name}."
            elif given[name] is not None and not is_wanted:
                faults[name] = f"It is for {Scope(self.scope).label}: leave this empty."
        if faults:
            raise ValidationError(faults)

    @property
    def subject(self) -> str:
        """Whom it is for, in words."""
        match self.scope:
            case Scope.USER:
                return str(self.user)
            case Scope.GROUP:
                return f"each member of {self.group}"
            case Scope.POOL:
                return f"the pool of {self.group}"
            case Scope.SITE:
                return "the whole site"
            case _:
                return "each user"

    @property
    def shown(self) -> str:
        """The amount with its unit."""
        return show(self.resource, self.amount)

    @property
    def is_over(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= timezone.now()


class Account(models.Model):
    """One row for each whose use is counted: whoever raises it holds the row, so that of all that
    do at once, each counts what those before it took. It has no sum to keep right: that is made of
    reservations each time. The database makes it together with the user, or with the first limit
    of the pool or the site.
    """

    class Kind(models.IntegerChoices):
        """In the order in which they are held. The site's last: everybody wants it."""

        USER = 1
        POOL = 2
        SITE = 3

    kind = models.PositiveSmallIntegerField(choices=Kind)
    # The id of the user or group; 0: the site.
    subject = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="account_unique")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject}"


class Reservation(QuickRow):
    """What a session or volume holds, from the moment it is asked for until it is gone. Written
    once; then only its end is.

    `holder` is the session or volume, `part` what of it holds: a run, or one size of a volume.
    """

    class Kind(models.TextChoices):
        SESSION = "session"
        VOLUME = "volume"

    kind = models.CharField(max_length=8, choices=Kind)
    holder = models.UUIDField()
    part = models.UUIDField(default=uuid.uuid4, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="reservations",
        db_index=False,
    )
    pool = models.ForeignKey(
        Group, on_delete=models.SET_NULL, null=True, related_name="reservations", db_index=False
    )
    sessions = models.PositiveIntegerField(default=0)
    cpu_milli = models.PositiveBigIntegerField(default=0)
    memory_mib = models.PositiveBigIntegerField(default=0)
    storage_mib = models.PositiveBigIntegerField(default=0)
    volumes = models.PositiveIntegerField(default=0)
    gpus = models.PositiveIntegerField(default=0)
    accelerator = models.CharField(max_length=63, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    released_at = models.DateTimeField(null=True)
    # Why it was made or ended otherwise than by what its owner did.
    note = models.CharField(max_length=80, blank=True)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["user"],
                condition=models.Q(released_at=None),
                name="reservation_of_user",
            ),
            models.Index(
                fields=["pool"],
                condition=models.Q(released_at=None, pool__isnull=False),
                name="reservation_of_pool",
            ),
            models.Index(fields=["holder"], name="reservation_of_holder"),
            models.Index(fields=["note"], condition=~models.Q(note=""), name="reservation_noted"),
        ]

    def __str__(self) -> str:
        return ", ".join(show(name, amount) for name, amount in self.amounts.items())

    @classmethod
    def of(
        cls,
        *,
        kind: Kind,
        holder: uuid.UUID,
        user_id: int,
        amounts: Amounts,
        part: uuid.UUID | None = None,
        pool_id: int | None = None,
        note: str = "",
    ) -> "Reservation":
        """Return one of these amounts, unsaved. Of GPUs it can have one class."""
        [(accelerator, gpus)] = [
            (name.removeprefix("gpu:"), amount) for name, amount in amounts.items() if is_gpu(name)
        ] or [("", 0)]
        fixed = {name: amount for name, amount in amounts.items() if not is_gpu(name)}
        return cls(
            kind=kind,
            holder=holder,
            part=part or uuid.uuid4(),
            user_id=user_id,
            pool_id=pool_id,
            gpus=gpus,
            accelerator=accelerator,
            note=note,
            **fixed,
        )

    @property
    def amounts(self) -> Amounts:
        """What it is of each resource, none of it 0."""
        every = {name: getattr(self, name) for name in FIXED}
        if self.gpus:
            every[gpu(self.accelerator)] = self.gpus
        return {name: amount for name, amount in every.items() if amount}


class QuotaRequest(models.Model):
    """A user's request for more of a resource, and what operators said to it.

    `state` is written by `objects.decide` alone.
    """

    class State(models.TextChoices):
        OPEN = "open"
        GRANTED = "granted"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="quota_requests"
    )
    resource = models.CharField(max_length=70, validators=[validators.resource])
    amount = models.PositiveBigIntegerField(validators=[MaxValueValidator(MAX_AMOUNT)])
    # None: for good.
    until = models.DateTimeField(null=True, blank=True)
    why = models.CharField(max_length=500)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    created_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    word = models.CharField(max_length=500, blank=True)

    objects = QuotaRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "resource"],
                condition=models.Q(state="open"),
                name="quota_request_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {show(self.resource, self.amount)}"

    @property
    def etag(self) -> str:
        """Its tag, which changes when it is decided."""
        return etag_of(self.decided_at or self.created_at)
