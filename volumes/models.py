"""Storage that outlives sessions: volumes, and the classes that operators offer."""

import uuid
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from submarine_site.core.catalogue import CatalogueEntry, CatalogueQuerySet
from submarine_site.core.etags import etag_of
from submarine_site.core.pod_shapes import DNS_SUBDOMAIN
from submarine_site.core.text import MAX_NAME
from volumes.contract import AccessMode, VolumeSpec
from volumes.querysets import VolumeQuerySet
from volumes.states import LIVE, VolumeState

MAX_MIB = 1024**3
"""A PiB: no class offers more."""

MAX_CLAIM = 500
MAX_REASON = 500

ACCESS_MODES = [
    (AccessMode.ONE_MACHINE.value, "one machine at a time"),
    (AccessMode.MANY_MACHINES.value, "many machines"),
    (AccessMode.ONE_SESSION.value, "one session at a time"),
]


class VolumeKind(models.TextChoices):
    HOME = "home"
    """Kept by the site for a user, and attached to sessions as their home."""
    DATA = "data"


class VolumeClass(CatalogueEntry):
    """A kind of storage that users may have volumes of. What it says is copied to a new volume."""

    storage_class = models.CharField(
        max_length=253,
        blank=True,
        help_text="The StorageClass of the cluster. None: the cluster's default.",
    )
    access_mode = models.CharField(
        max_length=16,
        choices=ACCESS_MODES,
        default=AccessMode.ONE_MACHINE.value,
        help_text="Who may have a volume of it at the same time.",
    )
    growable = models.BooleanField(
        default=False, help_text="If set, users may make their volumes of it larger."
    )
    usual_mib = models.PositiveIntegerField(
        "usual size (MiB)",
        default=10 * 1024,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_MIB)],
        help_text="What the form proposes.",
    )
    largest_mib = models.PositiveIntegerField(
        "largest size (MiB)",
        default=100 * 1024,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_MIB)],
    )

    objects = CatalogueQuerySet["VolumeClass"].as_manager()

    class Meta(CatalogueEntry.Meta):
        verbose_name_plural = "volume classes"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(usual_mib__gt=0, usual_mib__lte=models.F("largest_mib")),
                name="volume_class_sizes",
                violation_error_message="The usual size is larger than the largest.",
            ),
        ]

    def clean(self) -> None:
        """Check that what the cluster is asked for can be a name there."""
        for problem in DNS_SUBDOMAIN(self.storage_class, "") if self.storage_class else ():
            raise ValidationError({"storage_class": problem.message})


class Volume(models.Model):
    """One user's storage, from request to the end of its time in the trash.

    `state` is written by `objects.transition` alone. What its class said when it was made stands
    here, so that a class can be edited.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="volumes"
    )
    name = models.CharField(max_length=MAX_NAME)
    kind = models.CharField(max_length=8, choices=VolumeKind, default=VolumeKind.DATA)
    # None: a home, or one that was adopted.
    volume_class = models.ForeignKey(
        VolumeClass, on_delete=models.PROTECT, null=True, blank=True, related_name="volumes"
    )
    # None: as much as there is.
    size_mib = models.PositiveIntegerField("size (MiB)", null=True)
    # What it is to grow to, until that is done or refused.
    wanted_mib = models.PositiveIntegerField("wanted size (MiB)", null=True)
    storage_class = models.CharField(max_length=253, blank=True)
    access_mode = models.CharField(
        max_length=16, choices=ACCESS_MODES, default=AccessMode.ONE_MACHINE.value
    )
    # Of an adopted one: what it is called where it is.
    claim = models.CharField(max_length=MAX_CLAIM, blank=True)
    state = models.CharField(
        max_length=16, choices=VolumeState, default=VolumeState.REQUESTED, editable=False
    )
    # Why it could not be made, is there no more, or could not grow or be removed.
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=MAX_REASON, blank=True)
    # As they were last seen; `seen_at` is when it was seen how much is used.
    capacity_mib = models.PositiveIntegerField("capacity (MiB)", null=True)
    used_mib = models.PositiveIntegerField("used (MiB)", null=True)
    seen_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    trashed_at = models.DateTimeField(null=True)
    # Set with every change of its owner's: who changes what is older meanwhile is told.
    updated_at = models.DateTimeField(default=timezone.now)

    objects = VolumeQuerySet.as_manager()

    class Meta:
        # The home first.
        ordering = ["-kind", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=models.Q(state__in=sorted(LIVE)),
                name="volume_name_unique",
            ),
            models.UniqueConstraint(
                fields=["owner"],
                condition=models.Q(kind="home", state__in=sorted(LIVE)),
                name="volume_one_home",
            ),
            models.UniqueConstraint(
                fields=["claim"], condition=~models.Q(claim=""), name="volume_claim_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=sorted(VolumeState.values)),
                name="volume_state_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state"],
                condition=~models.Q(state="ready") | models.Q(wanted_mib__isnull=False),
                name="volume_unsettled",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def etag(self) -> str:
        """Names the state it is in, as HTTP wants it."""
        return etag_of(self.updated_at)

    @property
    def is_live(self) -> bool:
        """Whether its owner has it, rather than their trash."""
        return self.state in LIVE

    @property
    def is_adopted(self) -> bool:
        """Whether it was there before it was a volume."""
        return bool(self.claim)

    @property
    def removed_after(self) -> datetime | None:
        """When what is in the trash is removed."""
        return self.trashed_at + settings.VOLUMES_TRASH if self.trashed_at else None

    @property
    def spec(self) -> VolumeSpec:
        """What keeps volumes is told of it."""
        return VolumeSpec(
            id=self.pk,
            size_mib=self.size_mib,
            storage_class=self.storage_class,
            access_mode=AccessMode(self.access_mode),
            claim=self.claim,
            display_name=self.name,
            owner=self.owner.get_username(),
        )
