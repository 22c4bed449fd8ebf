"""A setup as its owner may have it: well-formed, and with nothing of anybody else's."""

from accounts.models import User
from notebooks.code_access import refuse_other_credentials
from notebooks.picked_secrets import refuse_others
from notebooks.setup import Setup, checked


def setup_for(owner: User, setup: Setup) -> Setup:
    """Return it as it can be used. Raises `InvalidInput`, which names what is wrong."""
    chosen = checked(setup)
    refuse_others(owner, chosen)
    refuse_other_credentials(owner, chosen.code)
    return chosen
