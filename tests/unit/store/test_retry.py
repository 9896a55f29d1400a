from __future__ import annotations

import math

import pytest

from ocm_pkg.model.config_settings import HttpSettings
from ocm_pkg.store.exchange import Headers
from ocm_pkg.store.retry import Credit, Patience, RetryPolicy, retry_after

WALL = 1_800_000_000.0
SECOND = 1_000_000_000


def patience(policy: RetryPolicy | None = None, credit: Credit | None = None) -> Patience:
    return Patience(policy or RetryPolicy(), credit or Credit(), lambda: 1.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("315360000", 315_360_000),
        ("9" * 400, math.inf),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\u0667", None),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        ("Friday, 15-Jan-27 08:00:30 GMT", 30),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("Fri, 99 Jan 2027 08:00:30 GMT", None),
        ("Fri, 15 Jan 10000 08:00:30 GMT", None),
    ],
)
def test_R29_retry_after_is_seconds_or_a_date(value, seconds) -> None:
    assert retry_after(Headers([("retry-after", value)]), WALL) == seconds


def test_R29_a_date_counts_from_the_clock_of_the_server() -> None:
    headers = Headers(
        [
            ("Retry-After", "Fri, 15 Jan 2027 08:00:30 GMT"),
            ("Date", "Fri, 15 Jan 2027 08:00:10 GMT"),
        ]
    )
    assert retry_after(headers, 0.0) == 20
    assert retry_after(Headers(), WALL) is None


def test_R30_there_are_three_tries_with_growing_waits() -> None:
    one = patience()
    assert [one.wait(), one.wait(), one.wait()] == [0.2, 0.8, None]


def test_R29_waits_are_spread_by_chance() -> None:
    policy = RetryPolicy()
    assert policy.back_off(1, 0.0) == 0.1
    assert policy.back_off(2, 0.5) == pytest.approx(0.6)
    assert policy.back_off(1000, 1.0) == policy.longest


def test_R29_what_the_server_asks_for_is_waited_exactly_or_not_at_all() -> None:
    assert patience().wait(7) == 7
    assert patience().wait(0) == 0.2
    assert patience().wait(20.5) is None
    assert patience().wait(math.inf) is None


def test_R30_all_waits_of_a_call_together_are_bounded() -> None:
    one = patience()
    assert [one.wait(15), one.wait(15)] == [15, None]
    assert RetryPolicy().total < 30


def test_the_configuration_says_how_often_and_how_long() -> None:
    http = HttpSettings(max_retries=4, min_wait=SECOND, max_wait=2 * SECOND, timeout=10 * SECOND)
    assert RetryPolicy.of(http) == RetryPolicy(5, 1.0, 2.0, 2.0, 10.0)
    assert RetryPolicy.of(HttpSettings()) == RetryPolicy()
    assert RetryPolicy.of(HttpSettings(max_retries=1000)).tries == 10
    assert patience(RetryPolicy.of(HttpSettings(max_retries=0))).wait() is None


def test_N10_a_registry_that_recovers_earns_more_tries() -> None:
    credit = Credit()
    for _ in range(3):
        recovered = patience(credit=credit)
        recovered.wait()
        recovered.succeeded()
    at_once = patience(credit=credit)
    at_once.succeeded()
    one = patience(credit=credit)
    waits = [one.wait() for _ in range(7)]
    assert [wait is None for wait in waits] == [False] * 5 + [True] * 2


def test_N10_credit_is_bounded_and_not_for_those_who_want_one_try() -> None:
    credit = Credit()
    for _ in range(1000):
        credit.earn()
    assert patience(RetryPolicy(tries=1), credit).wait() is None
    one = patience(credit=credit)
    assert [one.wait() is None for _ in range(8)] == [False] * 7 + [True]
    assert sum(credit.spend() for _ in range(1000)) == 5
