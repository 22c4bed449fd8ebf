"""Says whether an image will do, by starting it exactly as a session would be."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notebooks.image_check import Verdict, findings
from notebooks.wiring import backend
from quotas.models import ResourceProfile
from submarine_site.core.image_references import NOT_A_REFERENCE, is_image_reference


class Command(BaseCommand):
    help = "Start an image as a session would be, and say what is right and what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("image")
        parser.add_argument("--profile", help="the size to start it with (default: the first)")
        parser.add_argument(
            "--timeout", type=float, default=300, help="seconds that it may take (default: 300)"
        )

    def handle(
        self, *_args: Any, image: str, profile: str | None, timeout: float, **_options: Any
    ) -> None:
        if not is_image_reference(image):
            raise CommandError(NOT_A_REFERENCE)
        sizes = ResourceProfile.objects.all()
        size = sizes.called(profile) if profile else sizes.first()
        if size is None:
            raise CommandError("There is no such profile.")
        wrong = 0
        for finding in findings(
            backend(),
            image=image,
            resources=size.resources,
            placement=size.placement,
            patience=timeout,
        ):
            # An image's own words come without what a terminal would obey.
            text = "".join(each for each in finding.text if each.isprintable() or each == "\n")
            self.stdout.write(f"{finding.verdict.value:<6}{text}")
            wrong += finding.verdict is Verdict.WRONG
        if wrong:
            raise CommandError("It will not do as it is.")
        self.stdout.write("It will do.")
