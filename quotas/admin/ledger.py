"""The ledger: to look at."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from quotas.models import Reservation
from submarine_site.core.admin_base import ReadOnly


class HeldFilter(admin.SimpleListFilter):
    title = "held"
    parameter_name = "held"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("yes", "Held now"), ("no", "Released")]

    def queryset(
        self, _: HttpRequest, reservations: QuerySet[Reservation]
    ) -> QuerySet[Reservation]:
        if self.value() not in {"yes", "no"}:
            return reservations
        return reservations.filter(released_at__isnull=self.value() == "yes")


@admin.register(Reservation)
class ReservationAdmin(ReadOnly, ModelAdmin):
    list_display = ("text", "kind", "user", "pool", "created_at", "released_at", "note")
    list_filter = (HeldFilter, "kind", "created_at", ("pool", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("user", "pool")
    list_per_page = 50
    search_fields = ("user__username", "holder", "part", "note")
    show_full_result_count = False

    @admin.display(description="amounts")
    def text(self, reservation: Reservation) -> str:
        return str(reservation)
