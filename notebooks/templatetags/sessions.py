"""What templates ask of sessions."""

from django import template

from notebooks.launch_view import Step, current_step
from notebooks.models import NotebookSession

register = template.Library()


@register.filter
def launch_step(session: NotebookSession) -> Step | None:
    """Return the step of its launch that a session is at."""
    return current_step(session)


@register.filter
def last_lines(text: str, count: int) -> str:
    """Return the last `count` lines of a text."""
    return "\n".join(text.splitlines()[-count:])
