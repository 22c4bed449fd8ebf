"""Signs of life, seen by every process."""

from submarine_site.core import redis
from submarine_site.core.heartbeat import Heartbeat, beat, seconds_since


def test_what_was_never_heard_is_not_known() -> None:
    assert seconds_since(Heartbeat.WATCHER) is None


def test_each_is_heard_for_itself() -> None:
    beat(Heartbeat.POLL)
    assert seconds_since(Heartbeat.WATCHER) is None
    assert seconds_since(Heartbeat.POLL) is not None


def test_how_long_ago_it_was_is_told() -> None:
    beat(Heartbeat.WATCHER)
    left = redis.client().pttl(Heartbeat.WATCHER)
    redis.client().pexpire(Heartbeat.WATCHER, left - 20_000)
    seconds = seconds_since(Heartbeat.WATCHER)
    assert seconds is not None
    assert 20 <= seconds < 60


def test_a_redis_that_is_away_is_done_without(settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    redis.client.cache_clear()
    beat(Heartbeat.WATCHER)
