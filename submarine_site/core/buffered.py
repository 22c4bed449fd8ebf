"""Ends an ASGI application's request before its response is sent.

Django keeps the request's thread and database connection until the client has read the response.
"""

from submarine_site.core.bodies import Application, Event, Receive, Scope, Send


class BufferedResponses:
    """For responses of bounded size alone."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Event] = []

        async def keep(message: Event) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        for message in messages:
            await send(message)
