"""What changed is told to those whose pages show it, and to nobody else."""

from itertools import takewhile

import pytest
from redis.client import PubSub

from submarine_site.core.live import announce_all
from submarine_site.core.redis import client

ADA, GRACE, MALLORY = 1, 2, 3
SECONDS = 10


def told(pubsub: PubSub) -> list[tuple[bytes, bytes]]:
    """Everything that was published before this."""
    client().publish("live:end", "")
    messages = (
        (message["channel"], message["data"])
        for message in pubsub.listen()
        if message["type"] == "message"
    )
    return list(takewhile(lambda message: message[0] != b"live:end", messages))


@pytest.mark.django_db
def test_each_is_told_of_what_is_theirs_once_it_is_committed(
    django_capture_on_commit_callbacks,
) -> None:
    with client().pubsub() as pubsub:
        channels = [f"live:{each}" for each in (ADA, GRACE, MALLORY, "end")]
        pubsub.subscribe(*channels)
        for _ in channels:
            pubsub.get_message(timeout=SECONDS)
        with django_capture_on_commit_callbacks(execute=True):
            announce_all([(ADA, "one"), (GRACE, "two"), (ADA, "three")])
            assert told(pubsub) == []
        assert told(pubsub) == [
            (b"live:1", b"one"),
            (b"live:2", b"two"),
            (b"live:1", b"three"),
        ]
