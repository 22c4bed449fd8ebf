"""Builds one kernel into a folder: a program of its own that knows nothing of the service.

    python -m environments.builder REQUEST

It needs Python 3.10 or later, `uv` and `py-rattler`, and runs where the kernel is to run: the
`python3` found there is what a kernel without conda packages is made of. What it does is said on
stdout as it goes; the last line is the outcome (`outcome`). The folder is complete when it holds
`complete.json`, which is written last; what a killed build has left is removed by the next.
"""

from pathlib import Path


def sources() -> dict[str, str]:
    """The program's own files, by their names, for where the service is not installed."""
    return {file.name: file.read_text() for file in sorted(Path(__file__).parent.glob("*.py"))}
