#!/bin/bash
# The image's own command, where no other is given.
exec jupyter "${DOCKER_STACKS_JUPYTER_CMD:-lab}" "$@"
