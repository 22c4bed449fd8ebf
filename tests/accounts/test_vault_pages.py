"""The pages on which secrets and git credentials are entrusted."""

import pytest
from django.test import Client

from accounts import vault
from accounts.models import GitCredential, User, UserSecret
from accounts.ssh_keys import generate, read
from environments.models import Environment
from notebooks import services
from notebooks.setup import Setup
from quotas.models import ResourceProfile

HUNTER = "hunter2-hunter2"
NEW_SECRET = "/account/secrets/new"
NEW_CREDENTIAL = "/account/git-credentials/new"


def keep(owner: User) -> UserSecret:
    return vault.keep_secret(owner=owner, name="API_KEY", kind="variable", value=HUNTER)


def test_a_secret_is_stored_and_shown_by_name_alone(browser: Client, ada: User) -> None:
    form = {"name": " API_KEY ", "kind": "variable", "value": f"{HUNTER}\r\n"}
    page = browser.post(NEW_SECRET, form, follow=True)
    assert page.redirect_chain == [("/account#secrets", 302)]
    assert "Stored “API_KEY”." in page.text
    assert HUNTER not in page.text
    assert vault.open_secret(UserSecret.objects.get(owner=ada)) == HUNTER


def test_a_file_keeps_its_last_line_end_and_has_the_ends_of_lines_it_had(
    browser: Client, ada: User
) -> None:
    form = {"name": "key.pem", "kind": "file", "value": "a\r\nb\r\n"}
    browser.post(NEW_SECRET, form)
    assert vault.open_secret(UserSecret.objects.get(owner=ada)) == "a\nb\n"


def test_what_was_typed_survives_an_error_all_but_the_value(browser: Client) -> None:
    form = {"name": "a/b", "kind": "file", "value": HUNTER}
    page = browser.post(NEW_SECRET, form)
    assert page.status_code == 400
    assert 'value="a/b"' in page.text
    assert "It has no folders." in page.text
    assert HUNTER not in page.text


def test_a_refusal_about_no_field_is_shown(
    browser: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "MAX_SECRETS", 1)
    keep(ada)
    page = browser.post(NEW_SECRET, {"name": "B", "kind": "variable", "value": "x"})
    assert page.status_code == 409
    assert "You have 1 secrets." in page.text


def test_a_value_is_replaced(browser: Client, ada: User) -> None:
    secret = keep(ada)
    address = f"/account/secrets/{secret.pk}/replace"
    assert HUNTER not in browser.get(address).text
    assert browser.post(address, {"value": ""}).status_code == 400
    assert browser.post(address, {"value": "new\n"}).status_code == 302
    secret.refresh_from_db()
    assert vault.open_secret(secret) == "new"


def test_before_a_secret_is_deleted_it_is_said_where_it_is_used(
    browser: Client, ada: User, small: ResourceProfile, plain: Environment
) -> None:
    secret = keep(ada)
    address = f"/account/secrets/{secret.pk}/delete"
    assert "No session picks it." in browser.get(address).text
    for name in ("thesis", "analysis"):
        services.create_session(
            owner=ada,
            profile=small.name,
            environment=plain.name,
            name=name,
            setup=Setup(secrets=("API_KEY",)),
        )
    assert "2 sessions pick it: analysis, thesis." in browser.get(address).text
    page = browser.post(address, follow=True)
    assert "Deleted “API_KEY”." in page.text
    assert not UserSecret.objects.exists()


def test_a_token_is_stored_for_several_hosts(browser: Client, ada: User) -> None:
    form = {
        "name": "forge",
        "kind": "token",
        "hosts": " a.example,b.example:8443\n c.example ",
        "username": "",
        "secret": f" {HUNTER}\r\n",
    }
    page = browser.post(NEW_CREDENTIAL, form, follow=True)
    assert page.redirect_chain == [("/account#git-credentials", 302)]
    assert "a.example, b.example:8443, c.example" in page.text
    assert HUNTER not in page.text
    [credential] = GitCredential.objects.all()
    given = vault.git_credential_for(user=ada, credential_id=credential.pk, host="b.example:8443")
    assert given is not None
    assert (given.username, given.secret) == ("git", HUNTER)


def test_a_key_that_is_made_shows_its_public_half(browser: Client) -> None:
    form = {"name": "key", "kind": "new_ssh_key", "hosts": "a.example", "secret": "left over"}
    page = browser.post(NEW_CREDENTIAL, form, follow=True)
    [credential] = GitCredential.objects.all()
    assert credential.public_key in page.text
    assert credential.fingerprint in page.text
    assert "PRIVATE KEY" not in page.text


def test_a_key_of_ones_own_is_taken(browser: Client) -> None:
    pair = generate()
    sent = pair.private.replace("\n", "\r\n")
    browser.post(
        NEW_CREDENTIAL, {"name": "k", "kind": "ssh_key", "hosts": "a.example", "secret": sent}
    )
    [credential] = GitCredential.objects.all()
    assert credential.fingerprint == read(pair.private, field="secret").fingerprint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "ssh_key", "secret": " "}, "A token or a private key is needed."),
        ({"hosts": ""}, "A host is a name such as"),
        ({"username": "a b"}, "A user name has at most"),
        ({"name": ""}, "A name is needed."),
        ({"kind": "none"}, "A git credential is a token or an SSH key."),
    ],
)
def test_a_bad_credential_is_refused_where_it_is_wrong(
    browser: Client, change: dict[str, str], words: str
) -> None:
    form = {"name": "forge", "kind": "token", "hosts": "a.example", "secret": HUNTER} | change
    page = browser.post(NEW_CREDENTIAL, form)
    assert page.status_code == 400
    assert words in page.text
    assert HUNTER not in page.text
    assert not GitCredential.objects.exists()


def test_a_credential_is_deleted(browser: Client, ada: User) -> None:
    credential = vault.keep_git_credential(
        owner=ada, name="forge", kind="token", hosts=["a.example"], secret=HUNTER
    )
    address = f"/account/git-credentials/{credential.pk}/delete"
    assert "No session uses it." in browser.get(address).text
    assert "Deleted “forge”." in browser.post(address, follow=True).text
    assert not GitCredential.objects.exists()


def test_the_account_page_asks_as_much_of_the_database_however_much_there_is(
    browser: Client, ada: User, django_assert_num_queries
) -> None:
    browser.get("/account")
    for number in range(5):
        vault.keep_secret(owner=ada, name=f"A{number}", kind="variable", value="x")
        vault.keep_git_credential(owner=ada, name=f"k{number}", kind="ssh_key", hosts=["a.example"])
    with django_assert_num_queries(7):
        browser.get("/account")
