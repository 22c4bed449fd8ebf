"""The program. See the package's docstring."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

from environments.builder.build import build, discard
from environments.builder.commands import say
from environments.builder.errors import of_system
from environments.builder.outcome import BuildFailed, Outcome
from environments.builder.request import Request


def main() -> None:
    request = Request.from_text(Path(sys.argv[1]).read_text())
    if request.memory_mib:
        limit = request.memory_mib * 1024**2
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        outcome = build(request)
    except BuildFailed as failure:
        outcome = _failed(request, failure)
    except OSError as error:
        outcome = _failed(request, of_system(error))
    say("Built." if outcome.is_built else outcome.message)
    say(outcome.as_line())


def _failed(request: Request, failure: BuildFailed) -> Outcome:
    """Leave nothing in the store: what failed takes room there and is of no use."""
    with suppress(OSError):
        # The folder itself stays where it is mounted by itself.
        discard(Path(request.folder))
    return Outcome.of_failure(failure)


if __name__ == "__main__":
    main()
