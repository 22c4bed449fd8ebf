"""Requests' heads have bounds: the faster one of uvicorn's parsers keeps whatever anybody sends
until it ends, however much that is.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 64 * 1024
"""Of a head, and of all else that is no body's. What comes at once may be more."""


class BoundedHeads(HttpToolsProtocol):
    """For uvicorn's `--http`."""

    _left = MOST_BYTES

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self.send_400_response("The head of this request is too large.")
            return
        self._left -= len(data)
        # Gives back what is left at each part of a body, and at the next head.
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._left = MOST_BYTES
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._left = MOST_BYTES
        super().on_body(body)
