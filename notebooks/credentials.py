"""The secret between the gateway and a run's Jupyter server.

Derived, not stored: whoever holds the service's key can compute it for a run, nobody else can, it
stands in no table, and it is another one for each run (CVE-2026-40934).
"""

from uuid import UUID

from django.utils.crypto import salted_hmac


def jupyter_token(run_id: UUID) -> str:
    """Return the Jupyter token of this run."""
    return salted_hmac("submarine.jupyter", str(run_id), algorithm="sha256").hexdigest()
