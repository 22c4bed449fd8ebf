"""The service on one machine with one command: what `make run` starts."""
