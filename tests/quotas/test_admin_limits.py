"""Limits in the admin: typed as people write them, foreseen, explained, out and in as a file."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEntry
from notebooks.states import SessionStatus as S
from quotas.models import Limit
from tests.conftest import browser_of
from tests.factories import LimitFactory, ProfileFactory, SessionFactory, UserFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/quotas/limit/"
BAD_AMOUNTS = [
    ("sessions", "-1", "A whole number is needed, 0 or more; or “unlimited”."),
    ("cpu_milli", "1e400", "A number of cores is needed, such as “4” or “0.5”; or “unlimited”."),
    ("gpu:gpu", "0.5 GPU", "A whole number is needed, 0 or more; or “unlimited”."),
    (
        "memory_mib",
        "10G",
        "A number with MiB, GiB or TiB is needed, such as “10 GiB”; or “unlimited”.",
    ),
    ("sessions", "NaN", "A whole number is needed, 0 or more; or “unlimited”."),
    ("sessions", "9" * 16, "At most 1000000000000 sessions."),
    ("sessions", "=1+1", "A whole number is needed, 0 or more; or “unlimited”."),
]


def typed(**given: object) -> dict[str, object]:
    return {"scope": "default", "resource": "sessions", "amount": "3", "reason": "", **given}


def said(response) -> str:
    """What the page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", response.content.decode())))


def upload(admin: Client, *lines: str):
    text = "\n".join(["scope,group,user,resource,amount,until,reason", *lines])
    return admin.post(f"{LIST}import/", {"file": SimpleUploadedFile("limits.csv", text.encode())})


@pytest.mark.parametrize(
    ("resource", "amount", "kept"),
    [
        ("memory_mib", "10 GiB", 10240),
        ("memory_mib", "10Gi", 10240),
        ("cpu_milli", "0.5", 500),
        ("sessions", "0", 0),
        ("sessions", "unlimited", None),
        ("gpu:*", "2", 2),
    ],
)
def test_an_amount_is_typed_as_people_write_it(
    admin: Client, olga: User, resource: str, amount: str, kept: int | None
) -> None:
    response = admin.post(f"{LIST}add/", typed(resource=resource, amount=amount))
    assert response.status_code == 302
    limit = Limit.objects.get()
    assert (limit.scope, limit.resource, limit.amount) == ("default", resource, kept)
    assert limit.set_by == olga


@pytest.mark.parametrize(("resource", "amount", "message"), BAD_AMOUNTS)
def test_what_is_no_amount_is_refused_at_its_field(
    admin: Client, resource: str, amount: str, message: str
) -> None:
    ProfileFactory.create(gpus=1)
    response = admin.post(f"{LIST}add/", typed(resource=resource, amount=amount))
    assert response.context["adminform"].form.errors == {"amount": [message]}
    assert not Limit.objects.exists()


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"scope": "user"}, {"user": ["It is for one user: name the user."]}),
        ({"scope": "pool"}, {"group": ["It is for a group's pool: name the group."]}),
        (
            {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
            {"expires_at": ["This is over already."]},
        ),
        ({"amount": ""}, {"amount": ["This field is required."]}),
    ],
)
def test_a_limit_says_whom_it_is_for(admin: Client, given: dict, errors: dict) -> None:
    response = admin.post(f"{LIST}add/", typed(**given))
    assert response.context["adminform"].form.errors == errors
    assert not Limit.objects.exists()


def test_there_is_one_limit_for_the_same(admin: Client) -> None:
    LimitFactory.create()
    response = admin.post(f"{LIST}add/", typed())
    assert "There is such a limit already." in said(response)
    assert Limit.objects.count() == 1


def test_a_limit_is_shown_as_it_is_typed(admin: Client) -> None:
    limit = LimitFactory.create(resource="storage_mib", amount=10240)
    page = admin.get(f"{LIST}{limit.pk}/change/")
    assert page.context["adminform"].form["amount"].value() == "10 GiB"


def test_limits_are_changed_in_their_list(admin: Client, olga: User) -> None:
    kept, changed = LimitFactory.create(), LimitFactory.create(resource="cpu_milli", amount=4000)
    before = kept.set_at
    rows = admin.get(LIST).context["cl"].formset
    data = {
        "form-TOTAL_FORMS": 2,
        "form-INITIAL_FORMS": 2,
        "form-0-id": kept.pk,
        "form-1-id": changed.pk,
        "_save": "Save",
    }
    amounts = {kept.pk: "3", changed.pk: "2.5"}
    for number, form in enumerate(rows.forms):
        data |= {
            f"form-{number}-id": form.instance.pk,
            f"form-{number}-amount": amounts[form.instance.pk],
            f"form-{number}-reason": "",
        }
    assert admin.post(LIST, data).status_code == 302
    kept.refresh_from_db()
    changed.refresh_from_db()
    assert (changed.amount, changed.set_by) == (2500, olga)
    assert (kept.amount, kept.set_by, kept.set_at) == (3, None, before)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("until=good", {"each user: 3 sessions"}),
        ("until=boost", {"ada: 9 sessions"}),
        ("until=over", {"ada: 8 CPU"}),
        ("scope__exact=user", {"ada: 9 sessions", "ada: 8 CPU"}),
        ("resource=cpu_milli", {"ada: 8 CPU"}),
        ("q=ada", {"ada: 9 sessions", "ada: 8 CPU"}),
    ],
)
def test_limits_are_found(admin: Client, ada: User, query: str, found: set[str]) -> None:
    day = timedelta(days=1)
    LimitFactory.create()
    LimitFactory.create(scope="user", user=ada, amount=9, expires_at=timezone.now() + day)
    LimitFactory.create(
        scope="user",
        user=ada,
        resource="cpu_milli",
        amount=8000,
        expires_at=timezone.now() - day,
    )
    page = admin.get(f"{LIST}?{query}")
    assert {str(limit) for limit in page.context["cl"].result_list} == found


def test_a_change_is_foreseen_before_it_is_saved(admin: Client, ada: User) -> None:
    SessionFactory.create_batch(2, owner=ada, status=S.RUNNING)
    limit = LimitFactory.create(amount=2)
    assert admin.post(f"{LIST}check/?limit={limit.pk}", typed(amount="2")).content.decode() == (
        "Nobody would be over."
    )
    foreseen = admin.post(f"{LIST}check/?limit={limit.pk}", typed(amount="1")).content.decode()
    assert foreseen == (
        "1 user would be over: ada. Nothing is stopped; whoever is over can add nothing."
    )
    wrong = admin.post(f"{LIST}check/?limit={limit.pk}", typed(amount="-1")).content.decode()
    assert wrong == "A whole number is needed, 0 or more; or “unlimited”."
    limit.refresh_from_db()
    assert limit.amount == 2


def test_the_inspector_says_which_rule_decided(
    admin: Client, ada: User, physics: Group, olga: User
) -> None:
    big = ProfileFactory.create(name="big", cpu_milli=4000, gpus=1)
    default = LimitFactory.create(resource="gpu:*", amount=0)
    own = LimitFactory.create(scope="group", group=physics, amount=1, set_by=olga)
    running = SessionFactory.create(owner=ada, name="thesis", status=S.RUNNING)
    LimitFactory.create(amount=5)

    page = admin.get(f"{LIST}inspect/?user={ada.pk}&profile={big.pk}")
    verdict = page.context["verdict"]
    assert verdict.refusals == [
        "This needs 1 session; you may have 1 session, with 1 session in use.",
        "This needs 1 GPU; you may have 0 GPU.",
    ]
    rules = {line.resource: line.rule for line in verdict.lines}
    assert rules == {"sessions": own, "cpu_milli": None, "memory_mib": None, "gpu:gpu": default}
    text = said(page)
    assert "ada cannot start Big now" in text
    assert "each member of physics: 1 session , set by olga" in text
    assert "Considered, and not the one that counts: each user: 5 sessions" in text
    assert "thesis : 1 session, 1 CPU, 2 GiB" in text
    assert f"/admin/notebooks/notebooksession/{running.pk}/change/" in page.content.decode()


def test_the_inspector_says_when_it_is_allowed(admin: Client, ada: User) -> None:
    small = ProfileFactory.create(name="small")
    page = admin.get(f"{LIST}inspect/?user={ada.pk}&profile={small.pk}")
    assert page.context["verdict"].refusals == []
    assert "ada can start Small now" in said(page)


def test_the_inspector_asks_the_pool_and_the_site_too(
    admin: Client, ada: User, physics: Group
) -> None:
    small = ProfileFactory.create(name="small")
    LimitFactory.create(scope="pool", group=physics, amount=0)
    LimitFactory.create(scope="site", amount=0)
    page = admin.get(f"{LIST}inspect/?user={ada.pk}&profile={small.pk}&pool={physics.pk}")
    assert page.context["verdict"].refusals == [
        "This needs 1 session; the pool of physics has 0 sessions.",
        "This needs 1 session; the site has 0 sessions for everybody.",
    ]


@pytest.mark.parametrize(
    ("profile", "person", "why"),
    [
        ({"enabled": False}, {}, "The size is not enabled."),
        ({}, {"is_active": False}, "The account is disabled."),
    ],
)
def test_the_inspector_says_what_bars_beside_limits(
    admin: Client, profile: dict, person: dict, why: str
) -> None:
    size = ProfileFactory.create(**profile)
    user = UserFactory.create(**person)
    page = admin.get(f"{LIST}inspect/?user={user.pk}&profile={size.pk}")
    assert page.context["verdict"].refusals == [why]


def test_the_inspector_says_that_a_size_is_for_other_groups(
    admin: Client, ada: User, mallory: User, physics: Group
) -> None:
    size = ProfileFactory.create()
    size.groups.add(physics)
    for user, refusals in (
        (ada, []),
        (mallory, ["The size is for groups that the user is not in."]),
    ):
        page = admin.get(f"{LIST}inspect/?user={user.pk}&profile={size.pk}")
        assert page.context["verdict"].refusals == refusals


@pytest.mark.parametrize("query", ["user=x&profile=y", "user=0&profile=", "user=%00&profile=a"])
def test_the_inspector_asked_for_nobody_says_so(admin: Client, query: str) -> None:
    page = admin.get(f"{LIST}inspect/?{query}")
    assert (page.status_code, page.context["verdict"]) == (200, None)
    assert set(page.context["form"].errors) == {"user", "profile"}


def test_what_is_exported_is_imported(admin: Client, ada: User, physics: Group) -> None:
    until = timezone.now().replace(microsecond=0) + timedelta(days=3)
    odd = UserFactory.create(username="@odd")
    LimitFactory.create(resource="cpu_milli", amount=1500)
    LimitFactory.create(scope="group", group=physics, resource="memory_mib", amount=None)
    LimitFactory.create(scope="user", user=ada, amount=9, expires_at=until, reason="paper, due")
    LimitFactory.create(scope="user", user=odd, resource="gpu:a100", amount=0)
    LimitFactory.create(scope="site", amount=1, expires_at=timezone.now() - timedelta(days=1))
    exported = admin.get(f"{LIST}export/")
    lines = exported.content.decode().split("\r\n")
    assert lines == [
        "scope,group,user,resource,amount,until,reason",
        "default,,,cpu_milli,1.5,,",
        "group,physics,,memory_mib,unlimited,,",
        f'user,,ada,sessions,9,{until:%Y-%m-%dT%H:%M:%S}+00:00,"paper, due"',
        "user,,'@odd,gpu:a100,0,,",
        "",
    ]
    before = list(Limit.objects.exclude(scope="site").values_list("scope", "user", "amount"))
    Limit.objects.all().delete()
    preview = upload(admin, *lines[1:])
    assert "4 limits would be set, 0 are so already. Nobody would be over." in said(preview)
    assert not Limit.objects.exists()
    admin.post(f"{LIST}import/", {"text": preview.context["text"]})
    assert list(Limit.objects.values_list("scope", "user", "amount")) == before
    again = upload(admin, *lines[1:])
    assert "0 limits would be set, 4 are so already." in said(again)


def test_an_import_says_who_would_be_over(admin: Client, olga: User) -> None:
    people = UserFactory.create_batch(7)
    for person in people:
        SessionFactory.create(owner=person, status=S.RUNNING)
    limit = LimitFactory.create(amount=5, reason="as ever")
    preview = upload(admin, "default,,,sessions,0,,")
    names = ", ".join(sorted(person.username for person in people)[:5])
    assert f"7 users would be over: {names} and 2 more." in said(preview)
    admin.post(f"{LIST}import/", {"text": preview.context["text"]})
    limit.refresh_from_db()
    assert (limit.amount, limit.reason, limit.set_by) == (0, "", olga)
    assert SessionFactory._meta.model.objects.filter(status=S.RUNNING).count() == 7


@pytest.mark.parametrize(("resource", "amount", "message"), BAD_AMOUNTS)
def test_an_import_names_line_and_field(
    admin: Client, resource: str, amount: str, message: str
) -> None:
    response = upload(admin, "default,,,volumes,3,,", f"default,,,{resource},{amount},,")
    assert [(f.line, f.field, f.message) for f in response.context["faults"]] == [
        (3, "amount", message)
    ]
    assert not Limit.objects.exists()


@pytest.mark.parametrize(
    ("line", "field", "message"),
    [
        ("everybody,,,sessions,3,,", "scope", "One of default, group, user, pool, site is needed."),
        ("user,,nobody,sessions,3,,", "user", "There is no user “nobody”."),
        ("group,,,sessions,3,,", "group", "It is for each member of a group: name the group."),
        ("site,,ada,sessions,3,,", "user", "It is for the whole site: leave this empty."),
        ("default,,,sessions,3,soon,", "until", None),
        ("default,,,sessions,3,2020-01-01T00:00,", "until", "This is over already."),
        ("default,,,sessions,3,2020-13-41T00:00,", "until", None),
        ("default,,,disks,3,,", "resource", None),
        ("default,,,gpu:A B,3,,", "resource", None),
        ("default,,,sessions,3,,=HYPERLINK(1)", "reason", None),
        ("default,,,sessions,3,,@SUM(1)", "reason", None),
        ("default,,,sessions,3", "", "There are 5 columns, not 7."),
        ("default,,,sessions,3,," + "x" * 201, "reason", None),
    ],
)
def test_an_import_refuses_what_is_wrong(
    admin: Client, ada: User, line: str, field: str, message: str | None
) -> None:
    [fault] = upload(admin, line).context["faults"]
    assert (fault.line, fault.field) == (2, field)
    assert message in {None, fault.message}
    assert not Limit.objects.exists()


def test_an_import_is_all_or_nothing(admin: Client) -> None:
    text = (
        "scope,group,user,resource,amount,until,reason\ndefault,,,sessions,3,,\nx,,,cpu_milli,4,,"
    )
    response = admin.post(f"{LIST}import/", {"text": text})
    assert "Nothing was set: 1 thing in the file is wrong" in said(response)
    assert not Limit.objects.exists()


def test_an_import_names_what_is_there_twice(admin: Client) -> None:
    [fault] = upload(admin, "default,,,sessions,3,,", "default,,,sessions,4,,").context["faults"]
    assert (fault.line, fault.message) == (3, "Line 2 is for the same.")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"x" * (512 * 1024 + 1), "The file is larger than 512 KiB."),
        (b"\xff\xfe", "The file is not text in UTF-8."),
        (b"a\0b", "The file is not text."),
        (
            b"user,amount\n",
            "The first line has to be: scope,group,user,resource,amount,until,reason",
        ),
        (b'"a', "This is not CSV: unexpected end of data."),
    ],
)
def test_an_import_refuses_what_is_no_such_file(admin: Client, raw: bytes, message: str) -> None:
    given = {"file": SimpleUploadedFile("limits.csv", raw)}
    [fault] = admin.post(f"{LIST}import/", given).context["faults"]
    assert (fault.line, fault.message) == (1, message)


def test_an_import_of_no_file_says_so(admin: Client) -> None:
    response = admin.post(f"{LIST}import/", {})
    assert response.context["form"].errors == {"file": ["This field is required."]}


@pytest.mark.parametrize("page", ["", "add/", "inspect/", "export/", "import/", "check/"])
def test_who_may_not_see_limits_sees_none(ada: User, page: str) -> None:
    staff = browser_of(UserFactory.create(is_staff=True))
    assert staff.get(f"{LIST}{page}").status_code == 403
    assert staff.post(f"{LIST}{page}", typed()).status_code in {403, 405}
    assert browser_of(ada).get(f"{LIST}{page}").status_code == 302


def test_the_cost_of_the_list_does_not_grow(admin: Client, django_assert_num_queries) -> None:
    LimitFactory.create()
    admin.get(LIST)
    with django_assert_num_queries(LIST_QUERIES):
        admin.get(LIST)
    for person in UserFactory.create_batch(10):
        LimitFactory.create(scope="user", user=person)
    with django_assert_num_queries(LIST_QUERIES):
        admin.get(LIST)


LIST_QUERIES = 11


def logged() -> list[tuple[str, str, dict, dict]]:
    """What the audit log has of limits, oldest first."""
    entries = AuditEntry.objects.filter(object_kind="limit").order_by("pk")
    return list(entries.values_list("action", "actor_name", "before", "after"))


def test_each_change_of_a_limit_is_recorded(admin: Client, ada: User) -> None:
    given = typed(scope="user", user=ada.pk, resource="memory_mib", amount="10 GiB")
    admin.post(f"{LIST}add/", given)
    limit = Limit.objects.get()
    admin.post(f"{LIST}{limit.pk}/change/", {**given, "amount": "unlimited", "reason": "asked"})
    admin.post(f"{LIST}{limit.pk}/delete/", {"post": "yes"})
    assert logged() == [
        ("limit.created", "olga", {}, {"amount": "10 GiB", "until": "", "reason": ""}),
        (
            "limit.changed",
            "olga",
            {"amount": "10 GiB", "reason": ""},
            {"amount": "unlimited", "reason": "asked"},
        ),
        ("limit.deleted", "olga", {}, {}),
    ]
    assert set(AuditEntry.objects.values_list("on_behalf_of_name", flat=True)) == {"ada"}


def test_each_limit_of_a_file_is_recorded(admin: Client) -> None:
    LimitFactory.create(amount=3)
    LimitFactory.create(resource="volumes", amount=3)
    text = upload(
        admin, "default,,,sessions,4,,", "default,,,volumes,3,,", "site,,,sessions,9,,"
    ).context["text"]
    assert logged() == []
    admin.post(f"{LIST}import/", {"text": text})
    assert sorted(logged()) == [
        ("limit.changed", "olga", {"amount": "3 sessions"}, {"amount": "4 sessions"}),
        ("limit.created", "olga", {}, {"amount": "9 sessions", "until": "", "reason": ""}),
    ]
