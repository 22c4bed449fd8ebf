"""How a call is written once and made in two ways.

A call is a generator: it yields what is to be done outside of it (a request, a pause) and is sent
what came of that. `Call` and `Flow` make methods of such generators. What a method gives depends
on what its object is bound to: a value, or an awaitable for it; an iterator, or an asynchronous
one.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Generator, Iterator
from functools import partial
from typing import Any, Callable, Generic, Protocol, TypeVar, Union, overload

if sys.version_info >= (3, 10):
    from typing import Concatenate, ParamSpec
else:
    from typing_extensions import Concatenate, ParamSpec

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Effect(Protocol):
    """Something to be done outside of a call, by a transport of either kind."""

    def sync(self, transport: Any) -> Any: ...

    async def asynchronous(self, transport: Any) -> Any: ...


class Item(Generic[T_co]):
    """Something that a flow hands out."""

    __slots__ = ("value",)

    def __init__(self, value: T_co) -> None:
        self.value = value


Steps = Generator[Effect, Any, T]
"""A call that comes to a `T`."""
Items = Generator[Union[Effect, Item[T]], Any, None]
"""A flow of `T`."""


def through(items: Items[T], take: Callable[[T], object]) -> Steps[None]:
    """Hand each thing of a flow to `take`, until there are no more or it returns something true."""
    answer: Any = None
    failure: BaseException | None = None
    while True:
        try:
            step = items.send(answer) if failure is None else items.throw(failure)
        except StopIteration:
            return
        answer, failure = None, None
        if isinstance(step, Item):
            if take(step.value):
                items.close()
                return
            continue
        try:
            answer = yield step
        except BaseException as error:  # noqa: BLE001 - for the flow to judge
            failure = error


class Sync:
    """Of objects whose methods return when they are done."""


class Async:
    """Of objects whose methods are awaited."""


M = TypeVar("M")


class Runner(Protocol):
    """Goes through steps."""

    def run(self, steps: Steps[Any]) -> Any: ...

    def flow(self, items: Items[Any]) -> Any: ...


class Bound(Generic[M]):
    """Something whose calls are made by a runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner


class Call(Generic[P, T]):
    """A method that gives one value."""

    def __init__(self, function: Callable[Concatenate[Any, P], Steps[T]]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Call[P, T]: ...

    @overload
    def __get__(self, instance: Bound[Sync], owner: type) -> Callable[P, T]: ...

    @overload
    def __get__(self, instance: Bound[Async], owner: type) -> Callable[P, Awaitable[T]]: ...

    def __get__(self, instance: Bound[Any] | None, owner: type) -> Any:
        return self if instance is None else partial(self._call, instance)

    def _call(self, instance: Bound[Any], *args: P.args, **kwargs: P.kwargs) -> Any:
        return instance._runner.run(self._function(instance, *args, **kwargs))  # noqa: SLF001


class Flow(Generic[P, T]):
    """A method that gives values as they come."""

    def __init__(self, function: Callable[Concatenate[Any, P], Items[T]]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Flow[P, T]: ...

    @overload
    def __get__(self, instance: Bound[Sync], owner: type) -> Callable[P, Iterator[T]]: ...

    @overload
    def __get__(self, instance: Bound[Async], owner: type) -> Callable[P, AsyncIterator[T]]: ...

    def __get__(self, instance: Bound[Any] | None, owner: type) -> Any:
        return self if instance is None else partial(self._flow, instance)

    def _flow(self, instance: Bound[Any], *args: P.args, **kwargs: P.kwargs) -> Any:
        return instance._runner.flow(self._function(instance, *args, **kwargs))  # noqa: SLF001
