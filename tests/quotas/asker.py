"""A process of its own that asks for four sessions, and says of each what came of it.

python -m tests.quotas.asker USER PROFILE ENVIRONMENT
"""

import os
import sys

import django


def main(username: str, profile: str, environment: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "submarine_site.settings.test")
    django.setup()
    # Models are there by now.
    from accounts.models import User  # noqa: PLC0415
    from notebooks import services  # noqa: PLC0415
    from submarine_site.core.errors import DomainError  # noqa: PLC0415

    owner = User.objects.get(username=username)
    for _ in range(4):
        try:
            services.create_session(owner=owner, profile=profile, environment=environment)
        except DomainError as refusal:
            sys.stdout.write(f"{refusal.code}\n")
        else:
            sys.stdout.write("in\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
