"""Where Submarine's API is. The last slash may be there or not: nobody is led from one to the
other, for what is posted would be lost.
"""

from django.urls import re_path

from submarine_v1 import accounts, environments, notebooks

urlpatterns = [
    re_path(r"^api/v1/notebook/ping/?$", notebooks.Ping.as_view(), name="v1-ping"),
    re_path(r"^api/v1/notebook/?$", notebooks.NotebookList.as_view(), name="v1-notebooks"),
    re_path(
        r"^api/v1/notebook/(?P<notebook_id>[^/]+)/?$",
        notebooks.NotebookDetail.as_view(),
        name="v1-notebook",
    ),
    re_path(
        r"^api/v1/environment/?$", environments.EnvironmentList.as_view(), name="v1-environments"
    ),
    re_path(
        r"^api/v1/environment/(?P<name>[^/]+)/?$",
        environments.EnvironmentDetail.as_view(),
        name="v1-environment",
    ),
    re_path(r"^api/auth/token/?$", accounts.Token.as_view(), name="v1-token"),
    re_path(r"^api/auth/login/?$", accounts.Login.as_view(), name="v1-login"),
    re_path(r"^api/auth/logout/?$", accounts.Logout.as_view(), name="v1-logout"),
    re_path(r"^api/sys/user/info/?$", accounts.UserInfo.as_view(), name="v1-user-info"),
    re_path(r"^notebook/default/(?P<notebook_id>[^/]+)/lab/?$", notebooks.lab, name="v1-lab"),
]
