"""A plugin that hangs in its contract run: the check says so in time, and nothing of it is left."""

from __future__ import annotations

import os
import time

import pytest

from ocm_pkg.plugin.contract_run import run_contract
from ocm_pkg.plugin.limits import ClientLimits, Limits
from tests.fakes.plugins import alive, events, own_children, write_plugin

QUICK = Limits(probe=2, start=2, grace=0.4, client=ClientLimits(call=1.0))


@pytest.mark.parametrize(
    ("hang", "check"),
    [
        ("discovery", "capabilities"),
        pytest.param("start", "start", marks=pytest.mark.slow),
        ("health", "start"),
        pytest.param("call", "componentVersionRepository: versions", marks=pytest.mark.slow),
    ],
)
def test_a_plugin_that_hangs_fails_its_check_and_is_gone(tmp_path, monkeypatch, hang, check):
    monkeypatch.setattr("ocm_pkg.plugin.contract_run._IDLE_PATIENCE", 1.0)
    before = own_children()
    record = tmp_path / "record"
    plugin = write_plugin(
        tmp_path, "plug", hang=hang, child="session", ignore_term=True, record=str(record)
    )
    began = time.monotonic()
    checks = run_contract(plugin, environment=os.environ, limits=QUICK)
    assert time.monotonic() - began < 60
    failed = {one.check: one.detail for one in checks if one.result == "failed"}
    assert check in failed
    assert failed[check]
    assert own_children() <= before
    for word in ("start", "child"):
        assert not [line for line in events(record, word) if alive(int(line.split()[0]))]
    assert events(record, "child"), "it had a child that left its group"


def test_twin_a_plugin_that_is_only_slow_passes(tmp_path):
    plugin = write_plugin(tmp_path, "plug", slow_start=0.5)
    checks = run_contract(plugin, environment=os.environ, limits=QUICK)
    assert {one.result for one in checks} == {"ok"}
