"""The pages of volumes: fetch what the user may see, call one service, render."""

from functools import wraps
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.requests import user_of
from quotas.amounts import STORAGE, VOLUMES
from quotas.standing import Bar, standing_of
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.pages import View, answered, question
from volumes import selectors, services
from volumes.forms import in_gib, read_size
from volumes.host import host
from volumes.models import Volume, VolumeClass
from volumes.states import VolumeState


def _own(request: HttpRequest, pk: UUID) -> Volume:
    """The volume if the user may see it; a stranger's and a missing one look the same."""
    visible = Volume.objects.visible_to(user_of(request)).select_related("owner", "volume_class")
    return get_object_or_404(visible, pk=pk)


def _page_of(volume: Volume) -> str:
    return reverse("volume", kwargs={"pk": volume.pk})


def verb(view: View[[UUID]]) -> View[[UUID]]:
    """A button's view: signed in, by POST; a refusal is told on the volume's page."""

    @login_required
    @wraps(view)
    def call(request: HttpRequest, pk: UUID) -> HttpResponse:
        if request.method == "POST":
            try:
                return view(request, pk)
            except DomainError as refusal:
                messages.error(request, refusal.message)
        # Whoever had to sign in first is led here by GET.
        return redirect("volume", pk=pk)

    return call


@login_required
@require_GET
def volumes(request: HttpRequest) -> HttpResponse:
    """Where are my files, who uses them, how full."""
    shown = selectors.volumes_of(user_of(request))
    context = {
        "kept": [each for each in shown if each.volume.is_live],
        "trash": [each for each in shown if not each.volume.is_live],
        "is_unsettled": any(_is_unsettled(each.volume) for each in shown),
        "keeps_homes": host().home_terms() is not None,
    }
    return render(request, "volumes/volumes.html", context)


@login_required
@require_GET
def volume_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What is it, who has it, how full is it."""
    volume = _own(request, pk)
    context = {
        "shown": selectors.shown_now(volume),
        "is_unsettled": _is_unsettled(volume),
    }
    return render(request, "volumes/volume.html", context)


def _is_unsettled(volume: Volume) -> bool:
    """Whether a worker is about to change it."""
    return volume.state == VolumeState.REQUESTED or volume.wanted_mib is not None


@question
def new_volume(request: HttpRequest) -> HttpResponse:
    """Ask for a class, a size and a name, then make it. What was typed survives an error."""
    user = user_of(request)
    classes = _classes(user)
    usual = in_gib(classes[0].usual_mib) if classes else ""
    asked = {
        "name": request.POST.get("name", ""),
        "volume_class": request.POST.get("volume_class", classes[0].name if classes else ""),
        "size_gib": request.POST.get("size", usual),
    }
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            volume = services.create_volume(
                owner=user,
                name=asked["name"],
                volume_class=asked["volume_class"],
                size_mib=read_size(asked["size_gib"]),
            )
        except DomainError as error:
            refusal = error
        else:
            return redirect("volume", pk=volume.pk)
    context = {**asked, "classes": classes, "bars": _bars(user), "back": reverse("volumes")}
    return answered(request, "volumes/new.html", context, refusal)


def _bars(user: User) -> list[Bar]:
    """How much of their limits the user's volumes use."""
    return standing_of(user.pk).bars((STORAGE, VOLUMES))


def _classes(user: User) -> list[VolumeClass]:
    return list(VolumeClass.objects.visible_to(user))


@question
def grow_volume(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for the size, then have it grow. What was typed survives an error."""
    volume = _own(request, pk)
    size = request.POST.get("size", in_gib(volume.wanted_mib or volume.size_mib or 0))
    etag = request.POST.get("etag", volume.etag)
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            services.grow_volume(volume=volume, size_mib=read_size(size), expected=etag)
        except DomainError as error:
            refusal = error
        else:
            return redirect(_page_of(volume))
    shown = selectors.shown_now(volume)
    context = {
        "shown": shown,
        "size_gib": size,
        "etag": etag,
        "bars": _bars(user_of(request)),
        "back": _page_of(volume),
    }
    return answered(request, "volumes/grow.html", context, refusal)


@question
def rename_volume(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for the name, then give it. What was typed survives an error."""
    volume = _own(request, pk)
    name = request.POST.get("name", volume.name)
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            services.rename_volume(volume=volume, name=name)
        except DomainError as error:
            refusal = error
        else:
            return redirect(_page_of(volume))
    context = {"volume": volume, "name": name, "back": _page_of(volume)}
    return answered(request, "volumes/rename.html", context, refusal)


@question
def delete_volume(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say what goes and who has it, ask for its name, then put it into the trash."""
    volume = _own(request, pk)
    typed = request.POST.get("name", "")
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            if typed.strip() != volume.name:
                raise InvalidInput.field("name", f"Its name is “{volume.name}”.")
            services.trash_volume(volume=volume)
        except DomainError as error:
            refusal = error
        else:
            messages.success(request, f"“{volume.name}” is in the trash.")
            return redirect("volumes")
    context = {
        "shown": selectors.shown_now(volume),
        "typed": typed,
        "days": settings.VOLUMES_TRASH.days,
        "back": _page_of(volume),
    }
    return answered(request, "volumes/delete.html", context, refusal)


@question
def restore_volume(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Bring it back. Where another one has its name meanwhile, ask for a new one."""
    volume = _own(request, pk)
    name = request.POST.get("name", "")
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            restored = services.restore_volume(volume=volume, name=name)
        except DomainError as error:
            refusal = error
        else:
            messages.success(request, f"“{restored.name}” is back.")
            return redirect(_page_of(volume))
    context = {"volume": volume, "name": name or volume.name, "back": reverse("volumes")}
    return answered(request, "volumes/restore.html", context, refusal)


@question
def remove_volume(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask, then remove what is in the trash for good."""
    volume = _own(request, pk)
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            services.remove_volume(volume=volume)
        except DomainError as error:
            refusal = error
        else:
            messages.success(request, f"“{volume.name}” is being removed.")
            return redirect("volumes")
    context = {"volume": volume, "back": reverse("volumes")}
    return answered(request, "volumes/remove.html", context, refusal)


@verb
def retry_volume(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.retry_volume(volume=_own(request, pk))
    return redirect("volume", pk=pk)
