"""Environments in the admin."""

from django.contrib import admin

from environments.models import Environment
from submarine_site.core.admin_base import CatalogueAdmin


@admin.register(Environment)
class EnvironmentAdmin(CatalogueAdmin):
    list_display = ("display_name", "name", "newest", "enabled", "position")
