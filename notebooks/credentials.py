"""The secrets of a run: between the gateway and its Jupyter server, and of what runs in it to the
service.

Derived, not stored: whoever holds the service's key can compute them for a run, nobody else can,
they stand in no table, and they are others for each run (CVE-2026-40934).
"""

from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac

RUN_PREFIX = "subrun_"
_HEX_ID = 32


def jupyter_token(run_id: UUID) -> str:
    """Return the Jupyter token of this run."""
    return salted_hmac("submarine.jupyter", str(run_id), algorithm="sha256").hexdigest()


def run_credential(run_id: UUID) -> str:
    """Return that by which what runs in this run says so to the service."""
    proof = salted_hmac("submarine.run", str(run_id), algorithm="sha256").hexdigest()
    return f"{RUN_PREFIX}{run_id.hex}{proof}"


def run_of(credential: str) -> UUID | None:
    """Return the run that this is the credential of, whether or not it has ended."""
    try:
        run_id = UUID(credential.removeprefix(RUN_PREFIX)[:_HEX_ID])
    except ValueError:
        return None
    return run_id if constant_time_compare(credential, run_credential(run_id)) else None
