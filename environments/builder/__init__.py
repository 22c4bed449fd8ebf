"""Builds one kernel into a folder: a program of its own that knows nothing of the service.

    python -m environments.builder REQUEST

It needs Python 3.10 or later, `uv` and `py-rattler`, and runs where the kernel is to run: the
`python3` found there is what a kernel without conda packages is made of. What it does is said on
stdout as it goes; the last line is the outcome (`outcome`). The folder is complete when it holds
`complete.json`, which is written last; what a killed build has left is removed by the next.
"""

from importlib.resources import files

MODULES = (
    "__init__",
    "__main__",
    "build",
    "commands",
    "conda",
    "discard",
    "errors",
    "outcome",
    "pip",
    "request",
)


def sources() -> dict[str, str]:
    """The program's own files, by their names, for where the service is not installed."""
    return {f"{name}.py": files(__name__).joinpath(f"{name}.py").read_text() for name in MODULES}
