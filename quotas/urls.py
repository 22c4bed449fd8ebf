"""Where the pages of quotas are."""

from django.urls import path

from quotas import web

urlpatterns = [
    path("quota", web.quota, name="quota"),
    path("quota/requests/new", web.new_request, name="quota-request-new"),
    path("quota/requests/<uuid:pk>/withdraw", web.withdraw_request, name="quota-request-withdraw"),
]
