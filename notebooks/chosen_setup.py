"""A setup as its owner may have it: well-formed, and with nothing of anybody else's."""

from uuid import UUID

from accounts.models import User
from notebooks import picked_secrets, picked_volumes
from notebooks.code_access import refuse_other_credentials
from notebooks.setup import Setup, checked


def setup_for(owner: User, setup: Setup, *, home: UUID | None = None) -> Setup:
    """Return it as it can be used, beside this home; None: the one that the site keeps for its
    owner. Raises `InvalidInput`, which names what is wrong.
    """
    chosen = checked(setup)
    picked_secrets.refuse_others(owner, chosen)
    picked_volumes.refuse_others(owner, chosen.mounts, home=home)
    refuse_other_credentials(owner, chosen.code)
    return chosen
