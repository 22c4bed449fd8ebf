"""Numbers that the database counts, beside ids that cannot be guessed."""

import re
from datetime import datetime
from typing import Any

from django.db import models

_NUMBERED = re.compile(r"([a-z]+)_[0-9]{1,19}_0*([0-9]{1,18})")


class NextNumber(models.Func):
    """The next number of a sequence of PostgreSQL: each is given once, some perhaps to nobody."""

    function = "nextval"
    output_field = models.BigIntegerField()

    def __init__(self, sequence: str | models.Value, **extra: Any) -> None:
        value = sequence if isinstance(sequence, models.Value) else models.Value(sequence)
        super().__init__(value, **extra)


def numbered(kind: str, since: datetime, number: int) -> str:
    """An id as Apache Submarine writes them: `notebook_1647574374688_0001`."""
    return f"{kind}_{int(since.timestamp() * 1000)}_{number:04}"


def number_in(numbered_id: str, kind: str) -> int | None:
    """The number in such an id; None if it is none of this kind."""
    found = _NUMBERED.fullmatch(numbered_id)
    return int(found[2]) if found and found[1] == kind else None
