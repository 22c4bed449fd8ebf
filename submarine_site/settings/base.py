"""Settings that hold everywhere, read from the environment.

Safe for production as they stand: what has no safe default has none and must be given.
`docs/operators.md` describes each variable.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy

T = TypeVar("T")

BASE_DIR = Path(__file__).resolve().parents[2]
VERSION = "0.1.0"

env = environ.FileAwareEnv()


def _server_url(name: str, read: Callable[[str], T], form: str) -> T:
    """Return what `read` makes of a variable that holds the URL of a server.

    Raises `ImproperlyConfigured` without a part of the URL: errors of the standard library quote
    the beginning of a password that holds a slash.
    """
    try:
        return read(name)
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} is not a URL of the form {form}. In user name and password, percent-encode "
            "what is neither a letter nor a digit."
        ) from None


def _redis_url(name: str) -> str:
    url: str = env.str(name)
    # A password that is not encoded makes this raise: it ends the host too early.
    _ = urlsplit(url).port
    return url


SECRET_KEY: str = env.str("SECRET_KEY")
DEBUG: bool = env.bool("DEBUG", default=False)
# What users' secrets are encrypted with: the first key encrypts, each of them decrypts. The secret
# key stands last, so that what was stored before there were others can still be read.
VAULT_KEYS: list[str] = [*env.str("SUBMARINE_VAULT_KEYS", default="").split(), SECRET_KEY]

# Where people reach the service. The gateway must be another host name than the pages': what
# runs in a notebook may not share cookies with them, and ports do not separate cookies.
PAGES_URL: str = env.str("SUBMARINE_PAGES_URL").rstrip("/")
GATEWAY_URL: str = env.str("SUBMARINE_GATEWAY_URL").rstrip("/")
GATEWAY_SUBDOMAINS: bool = env.bool("SUBMARINE_GATEWAY_SUBDOMAINS", default=False)

_pages = urlsplit(PAGES_URL)
HTTPS = _pages.scheme == "https"
ALLOWED_HOSTS: list[str] = [_pages.hostname or "", *env.list("ALLOWED_HOSTS", default=[])]
CSRF_TRUSTED_ORIGINS = [PAGES_URL]

# Where what runs in sessions reaches the API: plain http, for Submarine's clients know no other.
SESSIONS_API_URL: str = env.str(
    "SUBMARINE_SESSIONS_API_URL", default="" if HTTPS else PAGES_URL
).rstrip("/")
_sessions_api = urlsplit(SESSIONS_API_URL)
ALLOWED_HOSTS += [_sessions_api.hostname] if _sessions_api.hostname else []
# As whom requests of Submarine's API act that bring no credential: for development, on loopback.
V1_AUTH_NONE: str = env.str("SUBMARINE_V1_AUTH_NONE", default="")

# What runs sessions: `local`, processes of this machine, or `kubernetes`.
BACKEND: str = env.str("SUBMARINE_BACKEND", default="local")
DATA_DIR = Path(env.str("SUBMARINE_DATA_DIR", default=str(BASE_DIR / "data")))
RUNTIME_DIR = Path(env.str("SUBMARINE_RUNTIME_DIR", default=str(DATA_DIR / "run")))
LOCAL_JUPYTER = Path(
    env.str(
        "SUBMARINE_LOCAL_JUPYTER",
        default=str(BASE_DIR / ".venv-notebook" / "bin" / "jupyter-lab"),
    )
)
# The local backend gives every session the same Unix user: an operator has to accept that.
LOCAL_BACKEND_ACCEPTED: bool = env.bool("SUBMARINE_LOCAL_BACKEND_ACCEPTED", default=False)
# The Unix socket of the Celery monitor; empty where none runs.
MONITOR_SOCKET: str = env.str("SUBMARINE_FLOWER_SOCKET", default="")

# Where and how the Kubernetes backend runs sessions, as text and only what was given:
# `notebooks.backends.kubernetes.config` reads it, knows the defaults and says what is wrong.
KUBERNETES: dict[str, str | None] = {
    "installation": env.str("SUBMARINE_INSTALLATION", default=None),
    "namespace": env.str("SUBMARINE_KUBERNETES_NAMESPACE", default=None),
    "home_size": env.str("SUBMARINE_KUBERNETES_HOME_SIZE", default=None),
    "home_largest": env.str("SUBMARINE_KUBERNETES_HOME_LARGEST", default=None),
    "storage_class": env.str("SUBMARINE_KUBERNETES_STORAGE_CLASS", default=None),
    "access_mode": env.str("SUBMARINE_KUBERNETES_ACCESS_MODE", default=None),
    "home_path": env.str("SUBMARINE_KUBERNETES_HOME_PATH", default=None),
    "user_id": env.str("SUBMARINE_KUBERNETES_USER_ID", default=None),
    "group_id": env.str("SUBMARINE_KUBERNETES_GROUP_ID", default=None),
    "image_pull_policy": env.str("SUBMARINE_KUBERNETES_IMAGE_PULL_POLICY", default=None),
    "image_pull_secrets": env.str("SUBMARINE_KUBERNETES_IMAGE_PULL_SECRETS", default=None),
    "gateway_peers": env.str("SUBMARINE_KUBERNETES_GATEWAY_PEERS", default=None),
    "blocked_networks": env.str("SUBMARINE_KUBERNETES_BLOCKED_NETWORKS", default=None),
    "place_minutes": env.str("SUBMARINE_KUBERNETES_PLACE_MINUTES", default=None),
    "stop_seconds": env.str("SUBMARINE_KUBERNETES_STOP_SECONDS", default=None),
    "scheduler": env.str("SUBMARINE_KUBERNETES_SCHEDULER", default=None),
    "store_size": env.str("SUBMARINE_KUBERNETES_STORE_SIZE", default=None),
    "store_class": env.str("SUBMARINE_KUBERNETES_STORE_CLASS", default=None),
    "store_access_mode": env.str("SUBMARINE_KUBERNETES_STORE_ACCESS_MODE", default=None),
    "builder_image": env.str("SUBMARINE_KUBERNETES_BUILDER_IMAGE", default=None),
    "code_image": env.str("SUBMARINE_KUBERNETES_CODE_IMAGE", default=None),
    "quota_backstop": env.str("SUBMARINE_KUBERNETES_QUOTA_BACKSTOP", default=None),
    "pod_patch": env.str("SUBMARINE_KUBERNETES_POD_PATCH", default=None),
}

# What environments may be of: whether users have their own, which channels of conda may be used
# (the first where none is named), and whether pip packages may be given by URL.
ENVIRONMENTS_OF_USERS: bool = env.bool("SUBMARINE_ENVIRONMENTS_OF_USERS", default=True)
ENVIRONMENTS_CHANNELS: list[str] = env.list(
    "SUBMARINE_ENVIRONMENTS_CHANNELS", default=["conda-forge"]
)
ENVIRONMENTS_ALLOW_URLS: bool = env.bool("SUBMARINE_ENVIRONMENTS_ALLOW_URLS", default=False)

# The git repositories that sessions start with: `notebooks.backends.fetcher.request.Rules`.
CODE: dict[str, Any] = {
    "seconds": env.int("SUBMARINE_CODE_SECONDS", default=300),
    "mib": env.int("SUBMARINE_CODE_MIB", default=2048),
    "files": env.int("SUBMARINE_CODE_FILES", default=50_000),
    "allowed_networks": tuple(env.list("SUBMARINE_CODE_ALLOWED_NETWORKS", default=[])),
    "blocked_networks": tuple(env.list("SUBMARINE_CODE_BLOCKED_NETWORKS", default=[])),
    "known_hosts": env.str("SUBMARINE_CODE_KNOWN_HOSTS", default=""),
    "ca_certificates": env.str("SUBMARINE_CODE_CA_CERTIFICATES", default=""),
}

# How environments are built: where packages come from, and how far a build may go.
BUILDS: dict[str, Any] = {
    "indexes": tuple(env.list("SUBMARINE_BUILD_INDEXES", default=[])),
    "ca_certificates": env.str("SUBMARINE_BUILD_CA_CERTIFICATES", default=""),
    "seconds": env.int("SUBMARINE_BUILD_SECONDS", default=1800),
    "size_mib": env.int("SUBMARINE_BUILD_SIZE_MIB", default=20 * 1024),
    "memory_mib": env.int("SUBMARINE_BUILD_MEMORY_MIB", default=4096),
}
# How long a build is kept that no session uses and that is not of the newest version.
BUILDS_KEPT = timedelta(days=env.int("SUBMARINE_BUILDS_KEPT_DAYS", default=30))

# How long an API token may live.
TOKENS_LONGEST_LIFE = timedelta(days=env.int("SUBMARINE_TOKENS_LONGEST_DAYS", default=365))

# How long sessions go on after their owner's account was disabled.
DISABLED_GRACE = timedelta(minutes=env.int("SUBMARINE_DISABLED_GRACE_MINUTES", default=60))

# How many failed sign-ins from one network address are answered within five minutes.
SIGN_IN_FAILURES_PER_NETWORK: int = env.int("SUBMARINE_SIGN_IN_FAILURES_PER_ADDRESS", default=50)

# How many requests a minute the API takes of one user; 0: as many as come.
API_REQUESTS_PER_MINUTE: int = env.int("SUBMARINE_API_REQUESTS_PER_MINUTE", default=6000)

# How many event streams and exports one process of web sends at a time, to one user and in all, and
# how long each may take.
STREAMS_PER_USER: int = env.int("SUBMARINE_STREAMS_PER_USER", default=32)
STREAMS: int = env.int("SUBMARINE_STREAMS", default=500)
STREAM_TIME = timedelta(minutes=env.int("SUBMARINE_STREAM_MINUTES", default=60))

# How long a deleted volume can be brought back.
VOLUMES_TRASH = timedelta(days=env.int("SUBMARINE_VOLUMES_TRASH_DAYS", default=7))

# The server that mail goes out by; empty: none is sent.
EMAIL_HOST: str = env.str("EMAIL_HOST", default="")
EMAIL_PORT: int = env.int("EMAIL_PORT", default=25)
EMAIL_HOST_USER: str = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD: str = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS: bool = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_USE_SSL: bool = env.bool("EMAIL_USE_SSL", default=False)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL: str = env.str(
    "DEFAULT_FROM_EMAIL", default=f"Submarine Notebooks <notebooks@{_pages.hostname}>"
)

# How long a session may take to answer, without progress, before it has failed.
START_TIMEOUT = timedelta(seconds=env.int("SUBMARINE_START_TIMEOUT", default=120))

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "submarine_site.core",
    "audit",
    "accounts",
    "environments",
    "quotas",
    "volumes",
    "notebooks",
    "submarine_v1",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "submarine_site.core.http.OneHostMiddleware",
    "submarine_site.core.http.PageHeadersMiddleware",
    "submarine_site.core.preconditions.EtagMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "submarine_site.core.open_views.OpenBodiesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SignInMiddleware",
    "audit.middleware.AuditMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "submarine_site.urls"
ASGI_APPLICATION = "submarine_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": _server_url(
        "DATABASE_URL", env.db_url, "postgres://USER:PASSWORD@HOST:5432/DATABASE"
    )
}
# A pool rather than persistent connections: under ASGI a request's thread is not kept.
DATABASES["default"]["OPTIONS"] = {
    # What is asked again and again is planned once, which halves the database's work for a start.
    "server_side_binding": True,
    "prepare_threshold": 5,
    **DATABASES["default"].get("OPTIONS", {}),
    "pool": {
        "min_size": 1,
        "max_size": env.int("DATABASE_POOL_SIZE", default=16),
        "timeout": 10,
    },
}
# After the database was away, the pool's dead connections are replaced, not handed to requests.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL: str = _server_url("REDIS_URL", _redis_url, "redis://USER:PASSWORD@HOST:6379/0")
# Each process has a cache of its own, Django's default: one in Redis would be of pickles, by which
# whoever can write to Redis runs code here.

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "accounts.hashers.LeanArgon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("sign-in")
LOGIN_REDIRECT_URL = reverse_lazy("home")

# Passwords are throttled by user name and network wherever they are given (page, admin, API);
# `accounts.sign_in_failures` counts every kind of credential by network alone.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=5)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "accounts.sign_in_failures.network_of"
# Attempts that are refused neither prolong the lockout nor grow its row.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "accounts.views.locked_out"
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False

# What begins so cannot be set by a neighbouring name, as sessions may have (CVE-2024-28233).
_COOKIE_PREFIX = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{_COOKIE_PREFIX}sessionid"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "submarine_site.error_pages.csrf_failure"
# The gateway tells a navigation from the pages by its Referer, so the origin is sent along.
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
# Of the API, `OneHostMiddleware` refuses what has to come by https rather than redirect it.
SECURE_REDIRECT_EXEMPT = [r"^api/"]
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["submarine_site.formats"]

STATIC_URL = "static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "notebooks.api.runs.RunAuthentication",
        "accounts.authentication.BearerAuthentication",
        "accounts.authentication.PasswordAuthentication",
        "accounts.authentication.SignInAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "accounts.permissions.HasScope",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.rates.RequestRate"],
    "DEFAULT_RENDERER_CLASSES": [
        "submarine_site.core.renderers.FastJSONRenderer",
        "submarine_site.core.browsable.BrowsableRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": ["submarine_site.core.parsers.BoundedJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["submarine_site.core.filters.StrictFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "submarine_site.core.pagination.Cursor",
    "DEFAULT_SCHEMA_CLASS": "submarine_site.core.api.Schema",
    "EXCEPTION_HANDLER": "submarine_site.core.api.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Submarine Notebooks",
    "DESCRIPTION": "Start, find, stop and come back to notebook sessions.",
    "VERSION": "2",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": r"/api/v2",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVERS": [{"url": PAGES_URL}],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "submarine_site.core.api.allow_blank",
    ],
    "ENUM_NAME_OVERRIDES": {
        "BuildState": "environments.states.BuildState.choices",
        "GitCredentialKind": "accounts.models.GitCredentialKind.choices",
        "SecretKind": "accounts.models.SecretKind.choices",
        "SessionStatus": "notebooks.states.SessionStatus.choices",
        "VolumeKind": "volumes.models.VolumeKind.choices",
        "VolumeState": "volumes.states.VolumeState.choices",
    },
}

# Celery speaks of a Redis socket by a scheme of its own.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace(
    "?db=", "?virtual_host=", 1
)
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A click must not hang on a queue that is away: the reconciler launches what was not enqueued.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 30,
    # Publishing connects by a loop of its own, which else tries for six seconds.
    "max_retries": 1,
    "interval_start": 0,
}
# How often a worker looks at everything.
POLL_INTERVAL = timedelta(seconds=5)
# How often builds are looked at: whoever follows a log sees it so late.
BUILDS_INTERVAL = timedelta(seconds=2)
# How often volumes are looked at that are to be made, grown or removed.
VOLUMES_INTERVAL = timedelta(seconds=5)
CELERY_BEAT_SCHEDULE = {
    "reconcile": {
        "task": "notebooks.tasks.reconcile_all",
        "schedule": POLL_INTERVAL,
        # Ticks that could not be run in time are of no use.
        "options": {"expires": POLL_INTERVAL.total_seconds()},
    },
    "builds": {
        "task": "environments.tasks.advance",
        "schedule": BUILDS_INTERVAL,
        "options": {"expires": BUILDS_INTERVAL.total_seconds()},
    },
    "unused builds": {
        "task": "environments.tasks.discard_unused",
        "schedule": timedelta(hours=1),
    },
    "volumes": {
        "task": "volumes.tasks.settle",
        "schedule": VOLUMES_INTERVAL,
        "options": {"expires": VOLUMES_INTERVAL.total_seconds()},
    },
    "use of volumes": {"task": "volumes.tasks.measure", "schedule": timedelta(minutes=5)},
    "tidy": {"task": "notebooks.tasks.tidy", "schedule": timedelta(minutes=5)},
    "clean up": {"task": "accounts.tasks.clean_up", "schedule": timedelta(hours=1)},
}

DEFAULT_EXCEPTION_REPORTER_FILTER = (
    "submarine_site.core.credentials_in_urls.ExceptionReporterFilter"
)
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "()": "submarine_site.core.credentials_in_urls.MaskingFormatter",
            "format": "%(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "axes": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        # Says at each look that it has no worker yet.
        "flower": {"level": "ERROR"},
    },
}

UNFOLD = {
    "SITE_TITLE": "Submarine Notebooks",
    "SITE_HEADER": "Submarine Notebooks",
    "SITE_SYMBOL": "scuba_diving",
    "SITE_URL": "/",
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda _request: static("css/admin.css")],
    "DASHBOARD_CALLBACK": "submarine_site.dashboard.add_dashboard",
    # The accent of the pages, as a scale.
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .012 220)",
            "100": "oklch(94.5% .028 220)",
            "200": "oklch(89.5% .052 218)",
            "300": "oklch(82.5% .085 216)",
            "400": "oklch(74.0% .105 216)",
            "500": "oklch(62.0% .105 220)",
            "600": "oklch(50.0% .092 222)",
            "700": "oklch(43.5% .080 224)",
            "800": "oklch(37.5% .066 226)",
            "900": "oklch(31.5% .052 228)",
            "950": "oklch(24.0% .040 230)",
        },
    },
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("favicon.svg"),
        },
    ],
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "title": "Sessions",
                "items": [
                    {
                        "title": "Sessions",
                        "icon": "terminal",
                        "link": reverse_lazy("admin:notebooks_notebooksession_changelist"),
                    },
                    {
                        "title": "Volumes",
                        "icon": "hard_drive",
                        "link": reverse_lazy("admin:volumes_volume_changelist"),
                    },
                    {
                        "title": "Events",
                        "icon": "history",
                        "link": reverse_lazy("admin:notebooks_sessionevent_changelist"),
                    },
                    {
                        "title": "Orphaned runs",
                        "icon": "link_off",
                        "link": reverse_lazy("admin:notebooks_orphanedrun_changelist"),
                    },
                    {
                        "title": "Task monitor",
                        "icon": "monitoring",
                        "link": reverse_lazy("monitor"),
                        "permission": "submarine_site.monitor.may_view",
                    },
                ],
            },
            {
                "title": "Quotas",
                "items": [
                    {
                        "title": "Limits",
                        "icon": "speed",
                        "link": reverse_lazy("admin:quotas_limit_changelist"),
                    },
                    {
                        "title": "Requests",
                        "icon": "front_hand",
                        "link": reverse_lazy("admin:quotas_quotarequest_changelist"),
                        "badge": "quotas.admin.requests.open_requests",
                        "badge_variant": "warning",
                    },
                    {
                        "title": "Why may they?",
                        "icon": "search",
                        "link": reverse_lazy("admin:quotas_limit_inspect"),
                    },
                    {
                        "title": "Reports",
                        "icon": "bar_chart",
                        "link": reverse_lazy("admin:notebooks_notebooksession_reports"),
                    },
                    {
                        "title": "Ledger",
                        "icon": "receipt_long",
                        "link": reverse_lazy("admin:quotas_reservation_changelist"),
                    },
                ],
            },
            {
                "title": "Catalogue",
                "items": [
                    {
                        "title": "Resource profiles",
                        "icon": "memory",
                        "link": reverse_lazy("admin:quotas_resourceprofile_changelist"),
                    },
                    {
                        "title": "Environments",
                        "icon": "deployed_code",
                        "link": reverse_lazy("admin:environments_environment_changelist"),
                    },
                    {
                        "title": "Builds",
                        "icon": "build",
                        "link": reverse_lazy("admin:environments_build_changelist"),
                    },
                    {
                        "title": "Volume classes",
                        "icon": "storage",
                        "link": reverse_lazy("admin:volumes_volumeclass_changelist"),
                    },
                ],
            },
            {
                "title": "People",
                "items": [
                    {
                        "title": "Users",
                        "icon": "person",
                        "link": reverse_lazy("admin:accounts_user_changelist"),
                    },
                    {
                        "title": "Groups",
                        "icon": "group",
                        "link": reverse_lazy("admin:auth_group_changelist"),
                    },
                    {
                        "title": "API tokens",
                        "icon": "key",
                        "link": reverse_lazy("admin:accounts_apitoken_changelist"),
                    },
                    {
                        "title": "Sign-ins",
                        "icon": "devices",
                        "link": reverse_lazy("admin:accounts_signin_changelist"),
                    },
                    {
                        "title": "Audit log",
                        "icon": "policy",
                        "link": reverse_lazy("admin:audit_auditentry_changelist"),
                    },
                ],
            },
        ],
    },
}
