"""The bound on connections, their limits of time, and what certificates are looked for."""

from __future__ import annotations

import threading

import pytest

from ocm_pkg.errors import TransportError
from ocm_pkg.model.config_settings import HttpSettings
from ocm_pkg.store.exchange import Request
from ocm_pkg.store.pace import Limits, Pace, TooSlowError
from ocm_pkg.store.pool import Pool
from ocm_pkg.store.tlssettings import certificate_folders
from ocm_pkg.store.transport import Transport


class FakeConnection:
    def __init__(self):
        self.uses = 0
        self.idle_since = 0.0
        self.owner = 0
        self.news = self.closed = self.is_shut = False

    def has_news(self):
        return self.news

    def close(self):
        self.closed = True

    def shut(self):
        self.is_shut = True


def taken(pool, *, fresh=False):
    return pool.take(60, fresh=fresh) or pool.made(FakeConnection)


def test_a_connection_is_kept_for_the_next_exchange():
    pool = Pool(2, "x")
    first = taken(pool)
    pool.give(first, reusable=True)
    assert taken(pool) is first
    assert (first.uses, pool.worked) == (1, True)


@pytest.mark.parametrize("why", ["news", "fresh", "idle", "not reusable"])
def test_a_connection_that_cannot_be_used_again_is_closed(why):
    pool = Pool(2, "x")
    first = taken(pool)
    pool.give(first, reusable=why != "not reusable")
    first.news = why == "news"
    assert pool.take(-1 if why == "idle" else 60, fresh=why == "fresh") is None
    assert first.closed


def test_giving_back_twice_is_giving_back_once():
    pool = Pool(1, "x")
    one = taken(pool)
    pool.give(one, reusable=True)
    pool.give(one, reusable=False)
    assert taken(pool) is one


def test_a_connection_that_could_not_be_made_leaves_its_place():
    pool = Pool(1, "x")

    def fails():
        raise OSError

    for _ in range(3):
        assert pool.take(60, fresh=False) is None
        with pytest.raises(OSError):  # noqa: PT011 - it has no text
            pool.made(fails)


def test_a_thread_waits_for_a_place_but_not_if_it_holds_one():
    pool = Pool(1, "x")
    first = taken(pool)
    second = taken(pool)
    got = []
    waiting = threading.Thread(target=lambda: got.append(taken(pool)))
    waiting.start()
    pool.give(first, reusable=True)
    assert got == []
    pool.give(second, reusable=True)
    waiting.join(5)
    assert got == [second]


def test_closing_ends_what_others_do_and_wait_for():
    pool = Pool(1, "registry:1")
    held = taken(pool)
    errors = []

    def wait():
        try:
            taken(pool)
        except TransportError as error:
            errors.append(error.message)

    waiting = threading.Thread(target=wait)
    waiting.start()
    pool.close()
    waiting.join(5)
    assert errors == ["the exchange with registry:1 was given up: the work was stopped"]
    assert held.is_shut
    pool.give(held, reusable=True)
    assert held.closed


def test_limits_have_finite_defaults():
    limits = Limits.of(HttpSettings())
    assert (limits.timeout, limits.dial, limits.handshake) == (30, 8, 8)
    assert (limits.answer, limits.stored, limits.idle) == (30, 120, 90)
    assert Limits.of(HttpSettings(timeout=0, dial_timeout=0, header_timeout=0)) == limits


def test_limits_follow_the_settings():
    second = 10**9
    short = Limits.of(HttpSettings(timeout=second))
    assert (short.dial, short.handshake, short.answer, short.stored) == (1, 1, 1, 4)
    own = HttpSettings(dial_timeout=2 * second, header_timeout=3 * second, idle_timeout=second)
    limits = Limits.of(own)
    assert (limits.dial, limits.answer, limits.stored, limits.idle) == (2, 3, 3, 1)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_transfer_must_move_the_least_speed_while_it_waits():
    clock = Clock()
    pace = Pace(10, clock)
    for count in (6000, 6000, 4000, 7000):  # 5 s each: 1200 a second, then 1100
        pace.start()
        clock.now += 5
        pace.moved(count)
        clock.now += 1000  # its user's time
    pace.start()
    clock.now += 5
    pace.moved(5000)
    pace.start()
    clock.now += 5
    with pytest.raises(TooSlowError):
        pace.moved(5000)


def test_certificates_are_looked_for_where_podman_and_docker_do(tmp_path):
    home, system = tmp_path / "home", tmp_path / "system"
    wanted = [
        home / ".config/containers/certs.d/registry.test:5000",
        home / ".docker/certs.d/registry.test",
        system / "registry.test:5000",
    ]
    for folder in (*wanted, home / ".docker/certs.d/other.test"):
        folder.mkdir(parents=True)
    assert certificate_folders("registry.test", 5000, home, [str(system)]) == tuple(wanted)
    assert certificate_folders("registry.test", 5001, None, [str(system)]) == ()
    six = home / ".docker/certs.d/[::1]:443"
    six.mkdir()
    assert certificate_folders("::1", 443, home, []) == (six,)


@pytest.mark.parametrize("host", [".", ".."])
def test_no_name_of_a_host_leads_out_of_the_folder(tmp_path, host):
    (tmp_path / ".docker/certs.d").mkdir(parents=True)
    assert certificate_folders(host, 443, tmp_path, []) == ()


def test_offline_refuses_before_anything_is_looked_up():
    def resolve(_host, _port):
        raise AssertionError

    transport = Transport(http=HttpSettings(), environ={}, home=None, offline=True, resolve=resolve)
    with pytest.raises(TransportError, match="--offline is set") as caught:
        transport.send(Request("GET", "http://registry.test/v2/?token=s3cret"))
    assert "s3cret" not in caught.value.message
