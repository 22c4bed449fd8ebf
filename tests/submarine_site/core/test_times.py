"""Times in the words that pages use."""

from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template
from django.utils import timezone

from submarine_site.core.templatetags.times import ago, lasted, span

NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (110, "1 min 50 s"),
        (2 * 3600 + 5 * 60 + 59, "2 h 5 min"),
        (3 * 86400 + 4 * 3600, "3 d 4 h"),
        (86400, "1 d"),
    ],
)
def test_a_span_is_told_by_its_two_biggest_units(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-30), "just now"),
        (timedelta(seconds=44), "just now"),
        (timedelta(seconds=50), "1 min ago"),
        (timedelta(minutes=59), "59 min ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=29), "29 d ago"),
    ],
)
def test_a_moment_is_told_by_its_age(age: timedelta, words: str) -> None:
    assert f">{words}</time>" in ago(timezone.now() - age)


def test_a_moment_over_30_days_ago_is_told_by_its_date() -> None:
    assert ago(datetime(2020, 3, 2, 8, tzinfo=UTC)) == (
        '<time datetime="2020-03-02T08:00:00+00:00" title="2020-03-02 08:00:00 UTC" data-ago>'
        "2 Mar 2020</time>"
    )


def test_a_clock_starts_with_whole_seconds() -> None:
    page = Template("{% load times %}{% clock since %}")
    shown = page.render(Context({"since": timezone.now() - timedelta(seconds=4, milliseconds=500)}))
    assert shown.endswith(">4 s</span>")


def test_what_has_lasted_is_the_span_between_two_moments() -> None:
    assert lasted(NOON, NOON + timedelta(seconds=3.4)) == "3.4 s"
