"""`QuickstartError`: why the quickstart cannot run, in one line that says what to do."""


class QuickstartError(Exception):
    """Shown as it is, without a traceback; the exit code is not zero."""
