"""The states of a plugin process."""

from __future__ import annotations

import itertools

import pytest

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.plugin.lifecycle import MOVES, Event, Lifecycle, State


def after(*events: Event) -> Lifecycle:
    life = Lifecycle()
    for event in events:
        life = life.after(event)
    return life


def test_a_plugin_is_started_used_and_stopped():
    life = after(Event.START, Event.READY, Event.STOP, Event.GONE)
    assert (life.state, life.starts, life.crashes) == (State.STOPPED, 1, 0)
    assert life.may_start


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_moves_that_are_not_in_the_table_are_refused(state, event):
    life = Lifecycle(state)
    if (state, event) in MOVES:
        assert life.after(event).state is MOVES[state, event]
    else:
        with pytest.raises(OcmPkgError, match=f"is {state} cannot {event}"):
            life.after(event)


@pytest.mark.parametrize("event", Event)
def test_nothing_leaves_closed(event):
    life = Lifecycle(State.CLOSED)
    assert not life.may_start
    assert MOVES.get((State.CLOSED, event), State.CLOSED) is State.CLOSED


def test_leaving_while_idle_never_counts_as_a_crash():
    life = Lifecycle()
    for _ in range(10):
        assert life.may_start
        life = life.after(Event.START).after(Event.READY).after(Event.GONE)
    assert life.crashes == 0


def test_one_crash_is_forgiven_and_the_second_in_a_row_is_not():
    life = after(Event.START, Event.READY, Event.DIED)
    assert life.may_start
    life = life.after(Event.START).after(Event.BROKEN)
    assert life.crashes == 2
    assert not life.may_start


def test_a_good_answer_forgives_earlier_crashes():
    life = after(Event.START, Event.READY, Event.DIED, Event.START, Event.READY).answered()
    life = life.after(Event.DIED)
    assert life.crashes == 1
    assert life.may_start


def test_a_running_plugin_is_not_started_again():
    assert not after(Event.START).may_start
    assert not after(Event.START, Event.READY).may_start
