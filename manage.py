#!/usr/bin/env python
"""Django's command line for this project."""

import sys

from django.core.management import execute_from_command_line

# Names the settings, and the broker for what commands enqueue.
import submarine_site.celery  # noqa: F401

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
