"""Where the pages and the API of sessions are."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.routers import DefaultRouter

from accounts import api as accounts
from audit import api as audit
from environments import api as environments
from notebooks import web
from notebooks.api import views as api
from quotas import api as quotas
from submarine_site.core.schema_view import SchemaView
from volumes import api as volumes


class Router(DefaultRouter):
    """Takes addresses with and without the last slash."""

    include_format_suffixes = False

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


router = Router()
router.APIRootView = api.Root
router.register("sessions", api.SessionViewSet, basename="session")
router.register("profiles", api.ProfileViewSet, basename="profile")
router.register("environments", environments.EnvironmentViewSet, basename="environment")
router.register("builds", environments.BuildViewSet, basename="build")
router.register("volumes", volumes.VolumeViewSet, basename="volume")
router.register("volume-classes", volumes.VolumeClassViewSet, basename="volume-class")
router.register("quota/requests", quotas.QuotaRequestViewSet, basename="quota-request")
router.register("quota", quotas.QuotaViewSet, basename="quota")
router.register("bookmarks", api.BookmarkViewSet, basename="bookmark")
router.register("tokens", api.TokenViewSet, basename="token")
router.register("secrets", accounts.SecretViewSet, basename="secret")
router.register("git-credentials", accounts.GitCredentialViewSet, basename="git-credential")
router.register("audit", audit.AuditViewSet, basename="audit")

v2: list[URLPattern | URLResolver] = [
    re_path("^me/?$", api.Me.as_view(), name="me"),
    re_path("^login/?$", api.Login.as_view(), name="login"),
    re_path("^schema/?$", SchemaView.as_view(), name="schema"),
    re_path(
        "^docs/?$",
        # Of the metadata that OPTIONS asks for there is no page.
        SpectacularSwaggerView.as_view(url_name="api:schema", http_method_names=["get", "head"]),
        name="docs",
    ),
    path("", include(router.urls)),
]

urlpatterns = [
    # Without a redirect to the same with a slash: no address of the API needs one.
    path(
        "api/v2",
        api.Root.as_view(
            api_root_dict={prefix: f"api:{name}-list" for prefix, _, name in router.registry}
        ),
        name="api-root",
    ),
    path("api/v2/", include((v2, "api"))),
    path("", web.home, name="home"),
    path("live", web.live, name="live"),
    path("sessions/rows", web.rows, name="session-rows"),
    path("sessions/new", web.new_session, name="session-new"),
    path("sessions/new/sizes", web.sizes, name="session-sizes"),
    path("bookmarks/<uuid:pk>/delete", web.delete_bookmark, name="bookmark-delete"),
    path("sessions/<uuid:pk>", web.session_page, name="session"),
    path("sessions/<uuid:pk>/state", web.session_state, name="session-state"),
    path("sessions/<uuid:pk>/log", web.session_log, name="session-log"),
    path("sessions/<uuid:pk>/open", web.open_session, name="session-open"),
    path("sessions/<uuid:pk>/start", web.start_session, name="session-start"),
    path("sessions/<uuid:pk>/stop", web.stop_session, name="session-stop"),
    path(
        "sessions/<uuid:pk>/update-environment",
        web.update_environment,
        name="session-update-environment",
    ),
    path("sessions/<uuid:pk>/edit", web.edit_session, name="session-edit"),
    path("sessions/<uuid:pk>/rename", web.rename_session, name="session-rename"),
    path("sessions/<uuid:pk>/delete", web.delete_session, name="session-delete"),
]
