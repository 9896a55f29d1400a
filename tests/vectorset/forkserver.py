"""A process with the command line loaded, which runs each command in a fork of its own.

Requests and answers are lines of JSON on its standard input and output. A fork starts in a few
milliseconds, has the environment, folder and limits of its request, and leaves no state behind.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ocm_pkg.cli.main import run


def main() -> None:
    """Answer requests until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        answer = warm_up(request) if request.get("warmUp") else fork(request)
        print(json.dumps(answer), flush=True)


def warm_up(request: dict[str, Any]) -> dict[str, Any]:
    """Run a command here, so that what it imports is there for all forks."""
    kept = [os.dup(number) for number in range(3)]
    enter(request)
    try:
        run(request["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, each in enumerate(kept):
            os.dup2(each, number)
            os.close(each)
    return {}


def fork(request: dict[str, Any]) -> dict[str, Any]:
    """Run a command in a fork; kill it and all that it started at its deadline."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os._exit(_child(request))
    late = False

    def kill(_number: int, _frame: object) -> None:
        nonlocal late
        late = True
        os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, request["deadline"])
    _pid, status, used = os.wait4(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    code = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    return {"code": code, "late": late, "seconds": seconds, "peak": used.ru_maxrss * 1024}


def _child(request: dict[str, Any]) -> int:
    code: object = 70
    try:
        os.setsid()
        enter(request)
        if sys.platform == "linux":
            limit = request["memory"]
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        code = run(request["arguments"])
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 (what a process of its own would print)
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 70


def enter(request: dict[str, Any]) -> None:
    """Become the process that the request describes."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    _replace(0, os.open(os.devnull, os.O_RDONLY))
    _replace(1, os.open(request["stdout"], flags))
    _replace(2, os.open(request["stderr"], flags))
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(Path(request["folder"]))
    tempfile.tempdir = None


def _replace(number: int, opened: int) -> None:
    os.dup2(opened, number)
    os.close(opened)


if __name__ == "__main__":
    main()
