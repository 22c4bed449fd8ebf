"""What an app needs and an app above it gives, so that imports point one way."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """Empty until the apps are ready, when whoever gives it fills it, once."""

    def __init__(self) -> None:
        self._given: list[T] = []

    def fill(self, value: T) -> None:
        self._given[:] = [value]

    def __call__(self) -> T:
        return self._given[0]
