"""A skip because of something that a machine can have is a failure in continuous integration."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

NEEDS = "needs "
"""How the reason begins where a tool or data is missing that CI installs or has."""


def pytest_configure() -> None:
    """Take SIGINT again where a shell in the background had it ignored: tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001
    call: pytest.CallInfo[None],  # noqa: ARG001
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if reason.removeprefix("Skipped: ").startswith(NEEDS):
            report.outcome = "failed"
            report.longrepr = f"in CI this must be there: it {reason.removeprefix('Skipped: ')}"
    return report


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Take away at the end the handlers that commands with --loglevel add."""
    root = logging.getLogger("ocm_pkg")
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
