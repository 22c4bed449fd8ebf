#!/bin/bash
# The entry point: what is in before-notebook.d may change the environment, then comes the command.
set -e
for hook in /usr/local/bin/before-notebook.d/*.sh; do
  echo "Sourcing ${hook}"
  source "${hook}"
done
echo "Executing the command: $*"
exec "$@"
