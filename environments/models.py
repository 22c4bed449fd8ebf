"""What a session runs: the environments that operators offer."""

from django.db import models

from submarine_site.core.catalogue import CatalogueEntry, CatalogueQuerySet


class Environment(CatalogueEntry):
    """An image to run notebook servers from. Its image is copied to a run at its start."""

    image = models.CharField(max_length=255)

    objects = CatalogueQuerySet["Environment"].as_manager()
