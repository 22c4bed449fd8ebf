"""What templates ask of environments."""

from django import template

from environments.models import Build, EnvironmentVersion

register = template.Library()

NAMED = 6
"""How many packages are named where there is little room."""


@register.filter
def contents(version: EnvironmentVersion) -> str:
    """Return in short what is in a version: `python 3.12.*, pandas, rich and 4 more`."""
    specs = [spec for kernel in version.as_written for spec in (*kernel.conda, *kernel.pip)]
    named = ", ".join(specs[:NAMED])
    return f"{named} and {len(specs) - NAMED} more" if len(specs) > NAMED else named


@register.filter
def build_state(version: EnvironmentVersion) -> str:
    """Return the state that its builds are in together; nothing if there are none."""
    states = {build.state for build in version.builds.all()}
    return next((state.value for state in _WORST_FIRST if state in states), "")


_WORST_FIRST = (
    Build.State.FAILED,
    Build.State.BUILDING,
    Build.State.QUEUED,
    Build.State.DISCARDED,
    Build.State.BUILT,
)
