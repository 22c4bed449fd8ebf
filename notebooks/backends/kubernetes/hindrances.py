"""What holds up a launch, and for how long it may."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from notebooks.backends.kubernetes.reading import Container, Pod

DEFINITE = timedelta(0)
"""The patience with what no waiting mends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindrance:
    """Until it has lasted for `patience` it is waited for, as `waiting` says; then it is the
    failure `code`. No patience: it is waited for as long as it takes. `since` None: not known.
    """

    waiting: str
    code: str = ""
    failing: str = ""
    since: datetime | None = None
    patience: timedelta | None = None

    def is_failure(self, now: datetime) -> bool:
        if self.since is None or self.patience is None:
            return self.patience == DEFINITE
        return now - self.since >= self.patience


def failing_since(pod: Pod, container: Container) -> datetime | None:
    """Since when it fails as it does now: once the image is there, at what comes after."""
    pulled = pod.latest("Pulled", container=container.name)
    times = [
        event.first_at
        for event in pod.events
        if event.reason == "Failed" and event.container == container.name
    ]
    return min((at for at in times if not pulled or at >= pulled.first_at), default=None)


def span_in_words(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    return f"{minutes} min" if minutes > 1 and not seconds else f"{60 * minutes + seconds} s"
