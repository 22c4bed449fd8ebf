"""What users entrust: kept encrypted, for the right person and host, opened for a start alone."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import ssh_keys, vault
from accounts.models import GitCredential, GitCredentialKind, User, UserSecret
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.variables import MAX_VALUE

HUNTER = "hunter2-hunter2"


def secret_of(owner: User, name: str = "API_KEY", kind: str = "variable") -> UserSecret:
    return vault.keep_secret(owner=owner, name=name, kind=kind, value=HUNTER)


def token_of(owner: User, *hosts: str, name: str = "forge") -> GitCredential:
    return vault.keep_git_credential(
        owner=owner, name=name, kind="token", hosts=hosts or ["git.example.com"], secret=HUNTER
    )


def stored_bytes() -> Iterator[bytes]:
    """Every row of both tables as the database gives it out, and in its other ways to write."""
    with connection.cursor() as cursor:
        for table in ("accounts_usersecret", "accounts_gitcredential"):
            cursor.execute(f"SELECT t::text, encode(t.sealed, 'escape') FROM {table} t")  # noqa: S608
            for row in cursor.fetchall():
                yield from (str(column).encode() for column in row)


def test_what_is_kept_comes_out_as_it_went_in(ada: User) -> None:
    kept = vault.keep_secret(owner=ada, name="note.txt", kind="file", value=" a\r\nb\n")
    assert vault.open_secret(UserSecret.objects.get(pk=kept.pk)) == " a\r\nb\n"


def test_the_database_does_not_show_a_value(ada: User) -> None:
    secret_of(ada)
    token_of(ada)
    pair = ssh_keys.generate()
    vault.keep_git_credential(
        owner=ada, name="key", kind="ssh_key", hosts=["git.example.com"], secret=pair.private
    )
    rows = list(stored_bytes())
    assert len(rows) == 6
    assert any(pair.public.encode() in row for row in rows)
    for row in rows:
        assert HUNTER.encode() not in row
        assert HUNTER.encode().hex().encode() not in row
        assert b"PRIVATE KEY" not in row
        assert b"PRIVATE KEY".hex().encode() not in row


def test_nothing_says_a_value_in_its_own_words(ada: User) -> None:
    secret, credential = secret_of(ada), token_of(ada)
    opened = vault.git_credential_for(user=ada, credential_id=credential.pk, host="git.example.com")
    assert opened is not None
    assert HUNTER not in f"{secret!r} {secret} {credential!r} {credential} {opened!r}"


def test_a_new_value_takes_the_place_of_the_old(ada: User) -> None:
    secret = secret_of(ada)
    vault.keep_new_value(secret=secret, value="new")
    kept = UserSecret.objects.get(pk=secret.pk)
    assert vault.open_secret(kept) == "new"
    assert kept.updated_at > kept.created_at


def test_a_value_whose_key_is_gone_is_said_to_be_unreadable(ada: User, settings) -> None:
    secret, credential = secret_of(ada), token_of(ada)
    settings.VAULT_KEYS = ["another key, and a long one at that"]
    with pytest.raises(vault.SecretUnreadable, match="API_KEY") as refused:
        vault.open_secret(secret)
    assert refused.value.code == "secret_unreadable"
    with pytest.raises(vault.SecretUnreadable, match="forge"):
        vault.git_credential_for(user=ada, credential_id=credential.pk, host="git.example.com")


def test_resealing_brings_all_under_the_first_key(ada: User, settings) -> None:
    secret, credential = secret_of(ada), token_of(ada)
    settings.VAULT_KEYS = ["n" * 32, *settings.VAULT_KEYS]
    call_command("reseal")
    settings.VAULT_KEYS = ["n" * 32]
    assert vault.open_secret(UserSecret.objects.get(pk=secret.pk)) == HUNTER
    assert vault.git_credential_for(user=ada, credential_id=credential.pk, host="git.example.com")
    assert vault.reseal() == vault.Resealed(resealed=0, unreadable=())


def test_resealing_names_what_it_cannot_read_and_does_the_rest(ada: User, settings) -> None:
    lost = secret_of(ada, "LOST")
    settings.VAULT_KEYS = ["o" * 32]
    secret_of(ada, "KEPT")
    settings.VAULT_KEYS = ["n" * 32, "o" * 32]
    with pytest.raises(CommandError, match=f"1 cannot be decrypted under any key: {lost.pk}"):
        call_command("reseal")
    settings.VAULT_KEYS = ["n" * 32]
    assert vault.open_secret(UserSecret.objects.get(name="KEPT")) == HUNTER


@pytest.mark.parametrize("name", ["HF_TOKEN", "_x", "http_proxy", "A1", "CUDA_VISIBLE_DEVICES"])
def test_a_usual_name_of_a_variable_is_taken(ada: User, name: str) -> None:
    assert secret_of(ada, name).name == name


@pytest.mark.parametrize(
    "name",
    ["", "1A", "A-B", "A B", "A=B", "Ä", "A\n", "A\0", "$(id)", "${A}", "A" * 101],
)
def test_what_no_shell_could_name_is_refused(ada: User, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        secret_of(ada, name)
    assert list(refused.value.fields) == ["name"]


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "PYTHONHOME",
        "BASH_ENV",
        "JUPYTER_TOKEN",
        "JUPYTER_CONFIG_DIR",
        "JUPYTERLAB_DIR",
        "NVIDIA_VISIBLE_DEVICES",
        "HABANA_VISIBLE_DEVICES",
        "KUBERNETES_SERVICE_HOST",
    ],
)
def test_what_decides_how_a_session_starts_cannot_be_set(ada: User, name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} decides how a session starts"):
        secret_of(ada, name)


@pytest.mark.parametrize(
    "name", ["CPU_LIMIT", "JOB_ID", "MEM_LIMIT", "NB_PREFIX", "SUBMARINE_RUN_ID"]
)
def test_what_the_service_sets_cannot_be_set(ada: User, name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} is set by the service in every session"):
        secret_of(ada, name)


@pytest.mark.parametrize("name", ["gcp.json", "id_rsa", "a-b", "9", "PATH"])
def test_a_usual_name_of_a_file_is_taken(ada: User, name: str) -> None:
    assert secret_of(ada, name, "file").name == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "..data", ".netrc", "a/b", "/etc/passwd", "-rf", "a b", "é", "a" * 101]
)
def test_a_file_cannot_be_named_out_of_its_folder(ada: User, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        secret_of(ada, name, "file")
    assert list(refused.value.fields) == ["name"]


@pytest.mark.parametrize("value", ["", "a\0b", "\ud800", "x" * (MAX_VALUE + 1), "é" * MAX_VALUE])
def test_a_value_is_text_of_a_bounded_size(ada: User, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        vault.keep_secret(owner=ada, name="A", kind="variable", value=value)
    assert list(refused.value.fields) == ["value"]
    secret = secret_of(ada)
    with pytest.raises(InvalidInput):
        vault.keep_new_value(secret=secret, value=value)


def test_a_value_may_be_as_large_as_is_said(ada: User) -> None:
    secret = vault.keep_secret(owner=ada, name="A", kind="variable", value="x" * MAX_VALUE)
    assert vault.open_secret(secret) == "x" * MAX_VALUE


def test_a_secret_is_a_variable_or_a_file(ada: User) -> None:
    with pytest.raises(InvalidInput, match="a variable or a file"):
        secret_of(ada, kind="socket")


def test_a_name_is_taken_once_by_each_person(ada: User, mallory: User) -> None:
    secret_of(ada)
    secret_of(mallory)
    with pytest.raises(DomainError) as refused:
        secret_of(ada, kind="file")
    assert (refused.value.code, list(refused.value.fields)) == ("name_taken", ["name"])


def test_a_person_has_a_bounded_number_of_secrets(ada: User, mallory: User) -> None:
    for number in range(vault.MAX_SECRETS):
        secret_of(ada, f"A{number}")
    with pytest.raises(DomainError) as refused:
        secret_of(ada)
    assert refused.value.code == "too_many_secrets"
    secret_of(mallory)


def test_a_credential_is_given_for_its_own_hosts_alone(ada: User) -> None:
    credential = token_of(ada, "Git.Example.com", "[::1]:8443")

    def given(host: str) -> bool:
        return bool(vault.git_credential_for(user=ada, credential_id=credential.pk, host=host))

    assert credential.hosts == ["git.example.com", "[::1]:8443"]
    for host in ("git.example.com", "GIT.example.com", "git.example.com:443", "[::1]:8443"):
        assert given(host), host
    for host in (
        "example.com",
        "evil.git.example.com",
        "git.example.com.evil.net",
        "git.example.com:8443",
        "git.example.com:22",
        "git.example.com@evil.net",
        "evil.net#git.example.com",
        "git.example.com/",
        "git.example.com\n",
        "[::1]",
        "",
        "*",
    ):
        assert not given(host), host


def test_a_credential_is_given_to_nobody_else(ada: User, mallory: User) -> None:
    credential = token_of(ada)
    host = "git.example.com"
    given = vault.git_credential_for(user=mallory, credential_id=credential.pk, host=host)
    assert given is None
    assert vault.git_credential_for(user=ada, credential_id=uuid4(), host=host) is None


def test_the_use_of_a_credential_is_noted(ada: User) -> None:
    credential = token_of(ada)
    vault.git_credential_for(user=ada, credential_id=credential.pk, host="example.org")
    credential.refresh_from_db()
    assert credential.last_used_at is None
    vault.git_credential_for(user=ada, credential_id=credential.pk, host="git.example.com")
    credential.refresh_from_db()
    assert credential.last_used_at is not None


def test_the_usual_port_of_ssh_is_another(ada: User) -> None:
    key = vault.keep_git_credential(
        owner=ada, name="key", kind="ssh_key", hosts=["a.example:22", "b.example:2222"]
    )
    assert key.hosts == ["a.example", "b.example:2222"]
    assert vault.serves(key, "a.example")
    assert not vault.serves(key, "a.example:443")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "*",
        "*.example.com",
        "https://git.example.com",
        "git.example.com/team",
        "user@git.example.com",
        "git.example.com:0",
        "git.example.com:65536",
        "git.example.com:http",
        "-oProxyCommand=id",
        "git_example.com",
        "git..example.com",
        "git.example.com.",
        "[::g]",
        "[1.2.3]",
        "\u212aernel.org",
        "bücher.example",
        "a" * 64,
        ".".join(["a" * 60] * 5),
        "a\0b",
    ],
)
def test_what_is_no_host_is_refused(ada: User, host: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        token_of(ada, host)
    assert list(refused.value.fields) == ["hosts"]


def test_a_credential_has_a_bounded_number_of_hosts(ada: User) -> None:
    for hosts in ([], [f"h{number}.example" for number in range(21)]):
        with pytest.raises(InvalidInput, match="1 to 20 hosts"):
            vault.keep_git_credential(owner=ada, name="a", kind="token", hosts=hosts, secret="x")


@pytest.mark.parametrize("secret", ["", " ", "two\nlines", "a\0b", "tökén", "x" * 4097])
def test_a_token_is_one_line(ada: User, secret: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        vault.keep_git_credential(
            owner=ada, name="a", kind="token", hosts=["a.example"], secret=secret
        )
    assert list(refused.value.fields) == ["secret"]


@pytest.mark.parametrize("username", ["-oProxyCommand=id", "a b", "a:b", "a\nb", "é", "a" * 101])
def test_a_user_name_that_could_be_read_as_more_is_refused(ada: User, username: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        vault.keep_git_credential(
            owner=ada,
            name="a",
            kind="token",
            hosts=["a.example"],
            username=username,
            secret="x",
        )
    assert list(refused.value.fields) == ["username"]


def test_an_ssh_key_is_made_where_none_is_given(ada: User) -> None:
    credential = vault.keep_git_credential(
        owner=ada, name="key", kind="ssh_key", hosts=["git.example.com"]
    )
    opened = vault.git_credential_for(user=ada, credential_id=credential.pk, host="git.example.com")
    assert opened is not None
    assert opened.kind is GitCredentialKind.SSH_KEY
    assert opened.username == "git"
    pair = ssh_keys.read(opened.secret, field="secret")
    assert (pair.public, pair.fingerprint) == (credential.public_key, credential.fingerprint)


def test_a_person_has_a_bounded_number_of_credentials(ada: User) -> None:
    for number in range(vault.MAX_GIT_CREDENTIALS):
        token_of(ada, name=f"c{number}")
    with pytest.raises(DomainError) as refused:
        token_of(ada)
    assert refused.value.code == "too_many_git_credentials"


def test_what_a_person_entrusted_goes_with_them(ada: User) -> None:
    secret_of(ada)
    token_of(ada)
    ada.delete()
    assert not UserSecret.objects.exists()
    assert not GitCredential.objects.exists()
