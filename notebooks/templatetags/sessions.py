"""What templates ask of sessions."""

from django import template

from notebooks.launch_view import Step, current_step
from notebooks.models import NotebookSession
from notebooks.volumes_form import VolumesForm
from notebooks.volumes_view import Choices

register = template.Library()


@register.filter
def launch_step(session: NotebookSession) -> Step | None:
    """Return the step of its launch that a session is at."""
    return current_step(session)


@register.filter
def last_lines(text: str, count: int) -> str:
    """Return the last `count` lines of a text."""
    return "\n".join(text.splitlines()[-count:])


@register.filter
def chosen_volumes(choices: Choices, form: VolumesForm) -> str:
    """Return the names of the volumes that a session is about to have, its home first."""
    names = {str(choice.volume.pk): choice.volume.name for choice in choices.data}
    chosen = [names[row.volume] for row in form.filled if row.volume in names]
    return ", ".join((["home"] if choices.keeps_homes else []) + chosen) or "none"
