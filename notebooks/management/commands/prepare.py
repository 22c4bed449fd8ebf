"""Makes a new or older database ready to use: migrations, the first catalogues, people.

Idempotent; what operators changed since stays as it is, but people get the passwords given here.
"""

import json
import sys
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import transaction

from accounts.models import User
from audit.audited import NOT_KEPT
from audit.origin import COMMAND, coming_from
from audit.services import record
from environments.services import seed_environment
from quotas.models import ResourceProfile
from volumes.models import VolumeClass

IMAGE = "submarine/notebook:1"

PROFILES: list[dict[str, Any]] = [
    {
        "name": "small",
        "display_name": "Small",
        "description": "For a look at some data, and for writing.",
        "cpu_milli": 1000,
        "memory_mib": 2048,
        "position": 10,
    },
    {
        "name": "medium",
        "display_name": "Medium",
        "description": "For most work with data frames.",
        "cpu_milli": 2000,
        "memory_mib": 8192,
        "position": 20,
    },
    {
        "name": "large",
        "display_name": "Large",
        "description": "For big joins and for training models.",
        "cpu_milli": 4000,
        "memory_mib": 16384,
        "position": 30,
    },
]

ENVIRONMENTS: list[dict[str, Any]] = [
    {
        "name": "notebook-env",
        "display_name": "Notebook",
        "description": "JupyterLab with a plain Python.",
        "image": IMAGE,
        "position": 10,
    },
    {
        "name": "notebook-gpu-env",
        "display_name": "Notebook with GPU",
        "description": "JupyterLab with a plain Python, for sizes that have a GPU.",
        "image": IMAGE,
        "needs_gpu": True,
        "position": 20,
    },
]

VOLUME_CLASSES: list[dict[str, Any]] = [
    {
        "name": "standard",
        "display_name": "Standard",
        "description": "For the data of one session at a time, or of several on one machine.",
        "growable": True,
        "position": 10,
    },
]


class Command(BaseCommand):
    help = (
        "Migrate and fill the database. Reads people to make as JSON from standard input: "
        '{"users": [{"name", "password", "role": "admin" or "user"}]}.'
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        people = json.load(sys.stdin).get("users", [])
        call_command("migrate", interactive=False, verbosity=0)
        with transaction.atomic(), coming_from(COMMAND):
            for profile in PROFILES:
                ResourceProfile.objects.get_or_create(name=profile["name"], defaults=profile)
            for environment in ENVIRONMENTS:
                seed_environment(**environment)
            for volume_class in VOLUME_CLASSES:
                VolumeClass.objects.get_or_create(name=volume_class["name"], defaults=volume_class)
            for person in people:
                self._ensure_user(**person)

    def _ensure_user(self, *, name: str, password: str, role: str) -> None:
        is_admin = role == "admin"
        user, is_new = User.objects.get_or_create(
            username=name, defaults={"is_staff": is_admin, "is_superuser": is_admin}
        )
        if not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
            record("user.created" if is_new else "user.changed", user, after={"password": NOT_KEPT})
