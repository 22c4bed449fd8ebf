"""The plain variables of a session, and the secrets that it picks: the form they must have."""

from collections.abc import Iterable, Mapping

from submarine_site.core.errors import InvalidInput
from submarine_site.core.variables import clean_value, clean_variable

MAX_VARIABLES = 100
MAX_VARIABLES_BYTES = 64 * 1024
"""Of all names and values: they stand in rows and in pods."""
MAX_PICKED = 50


def checked(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the plain variables of a session. Raises `InvalidInput`."""
    if len(variables) > MAX_VARIABLES:
        raise InvalidInput.field(
            "variables", f"There are {len(variables)} variables; {MAX_VARIABLES} is the most."
        )
    clean = {
        clean_variable(name, field="variables"): clean_value(value, field="variables")
        for name, value in variables.items()
    }
    size = sum(len(f"{name}{value}".encode()) for name, value in clean.items())
    if size > MAX_VARIABLES_BYTES:
        raise InvalidInput.field(
            "variables", f"The variables have {size} bytes; {MAX_VARIABLES_BYTES} is the most."
        )
    return clean


def checked_picks(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of picked secrets, each once. Raises `InvalidInput`."""
    picked = tuple(dict.fromkeys(names))
    if len(picked) > MAX_PICKED:
        raise InvalidInput.field(
            "secrets", f"There are {len(picked)} secrets; {MAX_PICKED} is the most."
        )
    return picked
