"""What the examples in the API's schema are about, the same in all of them: Ada, one session of
hers, and what it has. The module `examples` of an app has the bodies that tell of them; a test
sends these to the API, and looks at what comes back.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer

F = TypeVar("F", bound=Callable[..., Any])

ADA = "ada"
ADA_ID = 7
GROUP = "research"
PROFILE = "small"
ENVIRONMENT = "python"
IMAGE = "registry.example.com/notebook:2026.3"
SESSION_ID = "0c5d1a52-8f3e-4a57-9d0c-6b1f0f5f2b11"
SESSION = "Churn model"
VOLUME_ID = "3a9e4c70-51bb-4f0e-bb1c-8e2d7a6f4c13"
VOLUME = "data"
CREDENTIAL_ID = "d2f8b1c4-7a60-4c3f-9e55-1b0c6a7d8e24"
HOST = "git.example.com"
SECRET = "CHURN_API_KEY"  # noqa: S105 - its name

JOINED = "2026-01-12T08:30:00.412000Z"
LAUNCHED = "2026-03-02T09:15:04.120000Z"
STARTED = "2026-03-02T09:15:05.310000Z"
READY = "2026-03-02T09:15:21.480000Z"
USED = "2026-03-02T09:41:37.905000Z"


def shown(value: Any, *statuses: str) -> OpenApiExample:
    """An example of a request, and of the answers of these statuses."""
    return OpenApiExample("Example", value, status_codes=statuses)


def example(value: Any, *, begun: Any = None) -> Callable[[F], F]:
    """Have the schema show this of a serializer wherever it is a body; `begun`, if there is one,
    where that was just asked for.
    """
    later = shown(value if begun is None else begun, "201", "202")
    return extend_schema_serializer(examples=[shown(value, "200"), later])
