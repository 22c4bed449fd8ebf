"""What a user may set in a session's environment: names that nothing else depends on, text."""

import re

from submarine_site.core.errors import InvalidInput

MAX_VARIABLE_NAME = 100
MAX_VALUE = 64 * 1024
"""In bytes. Linux takes 128 KiB for one variable."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the service, its backends or a cluster set; what decides which programs and libraries are
# loaded, with which the server would not start; and what a container runtime on the node acts on:
# `NVIDIA_VISIBLE_DEVICES=all` takes every GPU of the machine, whatever the size allows.
_SET = frozenset({"CPU_LIMIT", "JOB_ID", "MEM_LIMIT", "NB_PREFIX"})
_SET_PREFIX = "SUBMARINE_"
_TAKEN = frozenset(
    {
        "BASHOPTS",
        "BASH_ENV",
        "ENV",
        "GLIBC_TUNABLES",
        "HOME",
        "HOSTNAME",
        "IFS",
        "LOGNAME",
        "PATH",
        "PWD",
        "PYTHONEXECUTABLE",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "PYTHONPATH",
        "PYTHONPLATLIBDIR",
        "PYTHONSAFEPATH",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "SHELL",
        "SHELLOPTS",
        "USER",
    }
)
_TAKEN_PREFIXES = ("DYLD_", "JUPYTER", "KUBERNETES_", "LD_", "NVIDIA_")
_DEVICES = re.compile(r"(AMD|ASCEND|CAMBRICON|HABANA|MTHREADS)_VISIBLE_(DEVICES|MODULES)")


def clean_variable(name: str, *, field: str) -> str:
    """Return `name` if a user may set a variable of this name. Raises `InvalidInput`."""
    if not _NAME.fullmatch(name) or len(name) > MAX_VARIABLE_NAME:
        raise InvalidInput.field(
            field,
            "A variable is named by letters, digits and underscores, does not begin with a digit, "
            f"and has 1 to {MAX_VARIABLE_NAME} characters.",
        )
    if name in _SET or name.startswith(_SET_PREFIX):
        raise InvalidInput.field(
            field, f"{name} is set by the service in every session. Use another name."
        )
    if name in _TAKEN or name.startswith(_TAKEN_PREFIXES) or _DEVICES.fullmatch(name):
        raise InvalidInput.field(
            field, f"{name} decides how a session starts, so it cannot be set. Use another name."
        )
    return name


def clean_value(value: str, *, field: str) -> str:
    """Return `value` if a variable or a file may hold it. Raises `InvalidInput`."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidInput.field(field, "The value is no text: a character is broken.") from None
    if "\0" in value:
        raise InvalidInput.field(field, "The value is no text: it holds a NUL.")
    if size > MAX_VALUE:
        raise InvalidInput.field(field, f"The value has {size} bytes; {MAX_VALUE} is the most.")
    return value
