"""What is sealed opens under the right key, in the right row, and as it was."""

from uuid import uuid4

import pytest

from accounts.sealing import Unreadable, is_current, seal, seal_for, unseal, unseal_for

OLD, NEW = "o" * 32, "n" * 32
ROW = uuid4()


def test_what_is_sealed_can_be_opened() -> None:
    assert unseal(seal("pässword\n", row=ROW), row=ROW) == "pässword\n"


def test_the_same_value_looks_different_each_time() -> None:
    assert seal("x", row=ROW) != seal("x", row=ROW)


def test_what_is_sealed_does_not_show_the_value() -> None:
    assert b"hunter2" not in seal("hunter2", row=ROW)


def test_what_was_moved_to_another_row_does_not_open() -> None:
    with pytest.raises(Unreadable):
        unseal(seal("x", row=ROW), row=uuid4())


@pytest.mark.parametrize("at", [0, 8, -1])
def test_what_was_tampered_with_does_not_open(at: int) -> None:
    sealed = bytearray(seal("x", row=ROW))
    sealed[at] ^= 1
    with pytest.raises(Unreadable):
        unseal(bytes(sealed), row=ROW)


@pytest.mark.parametrize("length", [0, 8, 12, 20, 30])
def test_what_was_cut_off_does_not_open(length: int) -> None:
    with pytest.raises(Unreadable):
        unseal(seal("x", row=ROW)[:length], row=ROW)


def test_without_its_key_nothing_opens(settings) -> None:
    settings.VAULT_KEYS = [OLD]
    sealed = seal("x", row=ROW)
    settings.VAULT_KEYS = [NEW]
    with pytest.raises(Unreadable):
        unseal(sealed, row=ROW)


def test_the_first_key_seals_and_all_open(settings) -> None:
    settings.VAULT_KEYS = [OLD]
    before = seal("before", row=ROW)
    settings.VAULT_KEYS = [NEW, OLD]
    after = seal("after", row=ROW)
    assert (is_current(before), is_current(after)) == (False, True)
    assert unseal(before, row=ROW) == "before"
    settings.VAULT_KEYS = [NEW]
    assert unseal(after, row=ROW) == "after"


def test_what_the_secret_key_sealed_opens_when_there_are_other_keys(settings) -> None:
    assert settings.VAULT_KEYS == [settings.SECRET_KEY]
    sealed = seal("x", row=ROW)
    settings.VAULT_KEYS = [NEW, settings.SECRET_KEY]
    assert unseal(sealed, row=ROW) == "x"


def test_what_is_sealed_for_a_client_takes_both_keys(settings) -> None:
    sealed = seal_for("client", "pässword\n", row=ROW)
    assert b"ssword" not in sealed
    assert unseal_for("client", sealed, row=ROW) == "pässword\n"
    assert seal_for("client", "pässword\n", row=ROW) != sealed
    with pytest.raises(Unreadable):
        unseal_for("another", sealed, row=ROW)
    with pytest.raises(Unreadable):
        unseal_for("client", sealed, row=uuid4())
    settings.SECRET_KEY = "another"
    with pytest.raises(Unreadable):
        unseal_for("client", sealed, row=ROW)


@pytest.mark.parametrize("length", [0, 16, 20, 30])
def test_what_was_cut_off_does_not_open_for_a_client(length: int) -> None:
    with pytest.raises(Unreadable):
        unseal_for("client", seal_for("client", "x", row=ROW)[:length], row=ROW)
