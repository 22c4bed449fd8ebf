"""Drive Submarine Notebooks from Python: `Client`, and `AsyncClient` for asyncio.

from submarine_client import Client

with Client() as client:
    session = client.sessions.create(profile="small", environment="notebook-env").wait()
    with session.kernel() as kernel:
        print(kernel.run("6 * 7").text)
    session.delete()
"""

from submarine_client.client import AsyncClient, Client
from submarine_client.errors import (
    BuildFailed,
    ConfigurationError,
    Conflict,
    ExecutionFailed,
    Forbidden,
    KernelDied,
    NotFound,
    NotSignedIn,
    Refused,
    SessionFailed,
    SubmarineError,
    TooMany,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    WaitTimedOut,
)
from submarine_client.kernel import Kernel, Output, Result
from submarine_client.sessions import Session
from submarine_client.version import __version__

__all__ = [
    "AsyncClient",
    "BuildFailed",
    "Client",
    "ConfigurationError",
    "Conflict",
    "ExecutionFailed",
    "Forbidden",
    "Kernel",
    "KernelDied",
    "NotFound",
    "NotSignedIn",
    "Output",
    "Refused",
    "Result",
    "Session",
    "SessionFailed",
    "SubmarineError",
    "TooMany",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "WaitTimedOut",
    "__version__",
]
