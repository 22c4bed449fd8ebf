"""What Celery knows of the service: its own settings, and no others."""

from types import SimpleNamespace

from celery.app.defaults import NAMESPACES, flatten
from celery.worker.control import Panel
from django.conf import settings

from submarine_site.celery import app

OF_CELERY = {each[0] for each in flatten(NAMESPACES)} | {"deprecated_settings"}


def test_what_remote_control_and_the_monitor_show_is_of_celery_alone() -> None:
    shown = Panel.data["conf"](SimpleNamespace(app=app), with_defaults=True)
    assert shown["task_serializer"] == "json"
    assert set(shown) - OF_CELERY == set()
    assert app.conf.get("SECRET_KEY") is app.conf.get("REDIS_URL") is None
    assert "INSTALLED_APPS" not in app.bugreport()


def test_each_setting_of_celery_arrives() -> None:
    given = {name[7:].lower() for name in dir(settings) if name.startswith("CELERY_")}
    assert len(given) > 10
    assert given <= OF_CELERY
    for name in given:
        assert app.conf[name] == getattr(settings, f"CELERY_{name.upper()}")


def test_nothing_in_redis_is_unpickled() -> None:
    assert set(app.conf.accept_content) == {"json"}
    assert (app.conf.task_serializer, app.conf.event_serializer) == ("json", "json")
    # The cache that Django and the admin use: in Redis it would be of pickles.
    backends = {each["BACKEND"] for each in settings.CACHES.values()}
    assert backends == {"django.core.cache.backends.locmem.LocMemCache"}
