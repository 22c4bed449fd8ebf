"""Every address of the web process."""

from django.contrib import admin
from django.urls import include, path

from accounts import vault_views as vault
from accounts import views as accounts
from audit import web as audit
from submarine_site.health import health
from submarine_site.metrics import metrics
from submarine_site.monitor import monitor

urlpatterns = [
    # One page to sign in on: the admin's own would go past the sign-in's record and words.
    path("admin/login/", accounts.admin_sign_in),
    path("admin/logout/", accounts.sign_out),
    path("admin/password_change/", admin.site.admin_view(accounts.ChangePasswordView.as_view())),
    path("admin/monitor/", monitor, name="monitor"),
    path("admin/monitor/<path:rest>", monitor),
    path("admin/", admin.site.urls),
    path("sign-in", accounts.SignInView.as_view(), name="sign-in"),
    path("sign-out", accounts.sign_out, name="sign-out"),
    path("account", accounts.account, name="account"),
    path("account/tokens/new", accounts.create_token, name="token-create"),
    path("account/tokens/revoke-all", accounts.revoke_all_tokens, name="token-revoke-all"),
    path("account/tokens/<uuid:pk>/revoke", accounts.revoke_token, name="token-revoke"),
    path("account/allow-program", accounts.allow_program, name="program-allow"),
    path("account/sign-out-everywhere", accounts.sign_out_everywhere, name="sign-out-everywhere"),
    path("account/secrets/new", vault.new_secret, name="secret-new"),
    path("account/secrets/<uuid:pk>/replace", vault.replace_secret, name="secret-replace"),
    path("account/secrets/<uuid:pk>/delete", vault.delete_secret, name="secret-delete"),
    path("account/git-credentials/new", vault.new_git_credential, name="git-credential-new"),
    path(
        "account/git-credentials/<uuid:pk>/delete",
        vault.delete_git_credential,
        name="git-credential-delete",
    ),
    path("account/activity", audit.activity, name="activity"),
    path("health", health, name="health"),
    path("metrics", metrics, name="metrics"),
    path("", include("environments.urls")),
    path("", include("quotas.urls")),
    path("", include("volumes.urls")),
    path("", include("notebooks.urls")),
    path("", include("submarine_v1.urls")),
]


handler400 = "submarine_site.error_pages.bad_request"
handler403 = "submarine_site.error_pages.forbidden"
handler404 = "submarine_site.error_pages.not_found"
handler500 = "submarine_site.error_pages.server_error"
