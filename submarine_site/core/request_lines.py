"""Request lines as people's programs send them: curl writes what is not ASCII into an address as it
is, which parsers of HTTP refuse.
"""

from urllib.parse import quote

_ASCII = bytes(range(128))


class RequestLine:
    """Percent-encodes what is not ASCII in one request line, in whatever pieces it arrives. What is
    not allowed there otherwise stays as it is, and what follows the line is not touched.
    """

    __slots__ = ("_begun", "_over")

    def __init__(self) -> None:
        self._begun = False
        self._over = False

    def encode(self, data: bytes) -> bytes:
        """Take the next bytes of the request; return them as a parser takes them."""
        if self._over:
            return data
        start = 0
        if not self._begun:
            # Parsers pass over empty lines before a request.
            start = len(data) - len(data.lstrip(b"\r\n"))
            self._begun = start < len(data)
        end = data.find(b"\n", start)
        self._over = end >= 0
        line = data[start:end] if self._over else data[start:]
        if line.isascii():
            return data
        return data[:start] + quote(line, safe=_ASCII).encode() + data[start + len(line) :]
