"""What a session may be: the sizes that operators offer."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from quotas import validators
from submarine_site.core.catalogue import CatalogueEntry, CatalogueQuerySet
from submarine_site.core.placement import Placement
from submarine_site.core.resources import Resources


class ResourceProfile(CatalogueEntry):
    """A T-shirt size. What it says is copied to a run when that is requested."""

    cpu_milli = models.PositiveIntegerField(
        "CPU (milli)",
        validators=[MinValueValidator(1)],
        help_text="In thousandths of a core: 2000 is 2 CPUs.",
    )
    memory_mib = models.PositiveIntegerField("memory (MiB)", validators=[MinValueValidator(1)])
    gpus = models.PositiveIntegerField("GPUs", default=0)

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

    objects = CatalogueQuerySet["ResourceProfile"].as_manager()

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

    @property
    def resources(self) -> Resources:
        return Resources(cpu_milli=self.cpu_milli, memory_mib=self.memory_mib, gpus=self.gpus)

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
