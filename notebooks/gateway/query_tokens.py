"""API tokens in the query of an address, where Jupyter's own clients put them when they can set no
header: a browser's WebSocket, for one. Pure, and on raw addresses.
"""

from collections.abc import Callable
from urllib.parse import unquote_plus

_PARAMETER = "token"


def query_tokens(address: str) -> list[str]:
    """Return the values of `token` in an address's query, decoded, in their order."""
    _, query, _ = _parts(address)
    # Most queries have no such parameter, and none is written without one of these.
    if _PARAMETER not in query and "%" not in query:
        return []
    return [token for each in query.split("&") if (token := _token(each)) is not None]


def without_tokens(address: str, is_ours: Callable[[str], bool]) -> str:
    """Return the address without the tokens that are ours; all else stays byte for byte."""
    if not any(map(is_ours, query_tokens(address))):
        return address
    path, query, fragment = _parts(address)
    kept = [
        each for each in query.split("&") if (token := _token(each)) is None or not is_ours(token)
    ]
    return path + ("?" + "&".join(kept) if kept else "") + fragment


def _parts(address: str) -> tuple[str, str, str]:
    """The address up to its query, the query, and the fragment with its mark."""
    rest, mark, fragment = address.partition("#")
    path, _, query = rest.partition("?")
    return path, query, mark + fragment


def _token(parameter: str) -> str | None:
    """The value of a parameter that is a token."""
    name, _, value = parameter.partition("=")
    return unquote_plus(value) if unquote_plus(name) == _PARAMETER else None
