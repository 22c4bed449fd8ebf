"""A Redis that failed is left alone for a while, by whatever counts in it."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from accounts import counting_redis
from accounts.counting_redis import CountingRedis


class Counts:
    """What a Redis was asked to do, which fails for as long as it is away."""

    def __init__(self) -> None:
        self.redis = CountingRedis("redis://127.0.0.1:1", key_prefix="test")
        self.calls = 0
        self.is_away = True

    def count(self) -> str:
        return self.redis.call(self._operation, fallback=lambda: "own", warning="not counted")

    def _operation(self) -> str:
        self.calls += 1
        if self.is_away:
            raise RedisConnectionError("refused")
        return "shared"


def test_while_redis_is_away_it_is_called_once_and_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counts = Counts()
    assert [counts.count() for _ in range(3)] == ["own"] * 3
    assert counts.calls == 1
    assert caplog.messages == ["not counted: refused"]


def test_after_the_pause_it_is_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting_redis, "PAUSE_SECONDS", 0.0)
    counts = Counts()
    assert counts.count() == "own"
    counts.is_away = False
    assert [counts.count() for _ in range(2)] == ["shared"] * 2
    assert counts.calls == 3


def test_other_errors_are_not_swallowed() -> None:
    def fail() -> str:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        Counts().redis.call(fail, fallback=lambda: "own", warning="not counted")
