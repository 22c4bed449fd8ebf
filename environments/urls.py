"""Where the pages of environments are."""

from django.urls import path, re_path

from environments import web

urlpatterns = [
    path("environments", web.catalogue, name="environments"),
    path("environments/new", web.new_environment, name="environment-new"),
    path("environments/<slug:name>", web.environment_page, name="environment"),
    path("environments/<slug:name>/edit", web.edit_environment, name="environment-edit"),
    path("environments/<slug:name>/delete", web.delete_environment, name="environment-delete"),
    path("environments/<slug:name>/versions/new", web.new_version, name="environment-version-new"),
    path(
        "environments/<slug:name>/versions/<int:number>/builds",
        web.version_builds,
        name="environment-builds",
    ),
    re_path(r"^builds/(?P<digest>[0-9a-f]{64})/retry$", web.retry_build, name="build-retry"),
    re_path(r"^builds/(?P<digest>[0-9a-f]{64})/lock$", web.build_lock, name="build-lock"),
]
