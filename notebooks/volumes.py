"""What sessions give to volumes, which know nothing of them."""

from django.conf import settings

from notebooks.attached import attachments
from notebooks.backends.kubernetes.config import read_site
from notebooks.wiring import backend
from volumes.contract import AccessMode
from volumes.host import HomeTerms, Host


def home_terms() -> HomeTerms | None:
    """What the settings say of homes. Where there is no cluster they are folders of one machine."""
    if settings.BACKEND != "kubernetes":
        return HomeTerms(access_mode=AccessMode.MANY_MACHINES)
    site = read_site(settings.KUBERNETES)
    if not site.keeps_homes:
        return None
    return HomeTerms(
        size_mib=site.home_size_mib,
        largest_mib=site.home_largest_mib,
        storage_class=site.storage_class,
        access_mode=site.home_access_mode,
    )


HOST = Host(keeper=backend, home_terms=home_terms, attachments=attachments)
