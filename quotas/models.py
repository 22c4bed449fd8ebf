"""What a session may be: the sizes that operators offer."""

from django.core.validators import MinValueValidator
from django.db import models

from submarine_site.core.catalogue import CatalogueEntry, CatalogueQuerySet
from submarine_site.core.resources import Resources


class ResourceProfile(CatalogueEntry):
    """A T-shirt size. Its numbers are copied to a run at its start."""

    cpu_milli = models.PositiveIntegerField(
        "CPU (milli)",
        validators=[MinValueValidator(1)],
        help_text="In thousandths of a core: 2000 is 2 CPUs.",
    )
    memory_mib = models.PositiveIntegerField("memory (MiB)", validators=[MinValueValidator(1)])
    gpus = models.PositiveIntegerField("GPUs", default=0)

    objects = CatalogueQuerySet["ResourceProfile"].as_manager()

    class Meta(CatalogueEntry.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(cpu_milli__gt=0, memory_mib__gt=0),
                name="profile_has_cpu_and_memory",
            ),
        ]

    @property
    def resources(self) -> Resources:
        return Resources(cpu_milli=self.cpu_milli, memory_mib=self.memory_mib, gpus=self.gpus)
