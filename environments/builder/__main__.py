"""The program. See the package's docstring."""

import resource
import sys
from pathlib import Path

from environments.builder.build import build
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
        outcome = Outcome.of_failure(failure)
    except OSError as error:
        outcome = Outcome.of_failure(of_system(error))
    say("Built." if outcome.is_built else outcome.message)
    say(outcome.as_line())


if __name__ == "__main__":
    main()
