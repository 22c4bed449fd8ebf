"""Where the pages of volumes are."""

from django.urls import path

from volumes import web

urlpatterns = [
    path("volumes", web.volumes, name="volumes"),
    path("volumes/new", web.new_volume, name="volume-new"),
    path("volumes/<uuid:pk>", web.volume_page, name="volume"),
    path("volumes/<uuid:pk>/grow", web.grow_volume, name="volume-grow"),
    path("volumes/<uuid:pk>/rename", web.rename_volume, name="volume-rename"),
    path("volumes/<uuid:pk>/delete", web.delete_volume, name="volume-delete"),
    path("volumes/<uuid:pk>/restore", web.restore_volume, name="volume-restore"),
    path("volumes/<uuid:pk>/remove", web.remove_volume, name="volume-remove"),
    path("volumes/<uuid:pk>/retry", web.retry_volume, name="volume-retry"),
]
