"""Whether the home has room for the server's own files: seen right before the server, by the shell
of the image. Pure.
"""

import re

from notebooks.backends.kubernetes.amounts import of_size
from notebooks.backends.kubernetes.text import literal

EXIT_CODE = 73
"""With which the container ends where there is none, and says so in its termination message."""

_SAYS = "home_full"
_KIB = 1024
_LEAST_KIB = 1024

# `$0` is the name of the run, so that no two sessions with one home are in each other's way. What
# says why a file could not be written is in the language that is looked for.
_SCRIPT = f"""\
probe="$HOME/.$0"
said=$(exec 2>&1; export LC_ALL=C; head -c {_LEAST_KIB * _KIB} /dev/zero >"$probe")
rm -f "$probe"
case $said in
*"No space left on device"* | *"uota exceeded"*)
  df -Pk "$HOME" | {{
    read -r _
    read -r _ total used free _
    echo "{_SAYS} $total $used $free"
  }} >/dev/termination-log
  echo "The home is full." >&2
  exit {EXIT_CODE}
  ;;
esac
exec "$@"
"""

_MESSAGE = re.compile(rf"{_SAYS} (\d{{1,18}}) (\d{{1,18}}) (\d{{1,18}})\s*")


def looking_first(command: list[str], *, run: str) -> list[str]:
    """The arguments that look for room and then become `command`."""
    return ["sh", "-c", literal(_SCRIPT), run, *command]


def full_home(exit_code: int | None, message: str) -> str:
    """Say in words that it found none; empty if it did not. A container can write what it likes:
    it speaks of its own home alone.
    """
    if exit_code != EXIT_CODE or not message.startswith(_SAYS):
        return ""
    found = _MESSAGE.fullmatch(message)
    if not found:
        return "The home is full."
    total, used, free = (int(number) * _KIB for number in found.groups())
    # Else it is a quota, or there are too many files: these numbers say nothing of that.
    if free >= _LEAST_KIB * _KIB:
        return "The home is full."
    return f"The home is full: {of_size(used, total)}."
