from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from ocm_pkg.fs.process import (
    ProgramOutputError,
    ProgramStartError,
    ProgramTimeoutError,
    child_environment,
    run,
    start,
)

ENV = child_environment({"PATH": os.environ["PATH"]})


def sh(script, **options):
    options = {"env": ENV, "timeout": 20, "max_output": 1_000_000, **options}
    return run(["/bin/sh", "-c", script], **options)


def gone(pid):
    """Whether a process ended (a zombie that nobody reaps counts)."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_output_status_and_time_are_the_result():
    done = sh("cat; echo oops >&2; exit 3", input=b"hello")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"hello", b"oops\n")
    assert 0 < done.seconds < 20
    assert sh("kill -TERM $$").returncode == -signal.SIGTERM


def test_large_input_and_both_outputs_do_not_deadlock():
    script = (
        "import sys; data = sys.stdin.buffer.read(); "
        "sys.stderr.buffer.write(data); sys.stdout.buffer.write(data)"
    )
    data = bytes(2_000_000)
    done = run(
        [sys.executable, "-c", script], env=ENV, timeout=30, max_output=3_000_000, input=data
    )
    assert (done.stdout, done.stderr) == (data, data)
    assert sh("exit 0", input=data).returncode == 0


def test_without_input_the_program_reads_an_end():
    assert sh("cat").stdout == b""


def test_a_program_that_runs_too_long_is_killed_with_its_children():
    began = time.monotonic()
    with pytest.raises(ProgramTimeoutError, match=r"within 0\.5 s") as caught:
        sh("sleep 60 & echo $!; echo why >&2; sleep 60", timeout=0.5)
    assert time.monotonic() - began < 5
    assert caught.value.stderr == b"why\n"
    assert gone(int(caught.value.stdout))


def test_with_grace_a_program_is_asked_to_end_and_can_tidy_up(tmp_path):
    script = f"trap 'echo tidy > {tmp_path}/done; exit 0' TERM; while :; do sleep 0.05; done"
    with pytest.raises(ProgramTimeoutError):
        sh(script, timeout=0.5, grace=20)
    assert (tmp_path / "done").read_text() == "tidy\n"


def test_after_its_grace_a_program_is_killed_all_the_same():
    began = time.monotonic()
    with pytest.raises(ProgramTimeoutError) as caught:
        sh("trap '' TERM; echo $$; while :; do sleep 60; done", timeout=0.5, grace=0.5)
    assert time.monotonic() - began < 10
    assert gone(int(caught.value.stdout))


def test_a_program_that_closes_its_outputs_and_stays_is_killed():
    with pytest.raises(ProgramTimeoutError):
        sh("exec >&- 2>&-; sleep 60", timeout=0.5)


@pytest.mark.parametrize("where", ["", ">&2"])
def test_a_program_that_writes_too_much_is_killed(where):
    with pytest.raises(ProgramOutputError, match="more than 1000 bytes") as caught:
        sh(f"yes {where}", max_output=1000)
    assert len(caught.value.stdout) + len(caught.value.stderr) == 1001
    assert sh("printf 1234", max_output=4).stdout == b"1234"


def test_children_that_outlive_the_program_are_killed_and_not_waited_for():
    began = time.monotonic()
    done = sh("sleep 60 & echo $!")
    assert time.monotonic() - began < 5
    assert gone(int(done.stdout))


def test_an_interrupt_kills_and_reaps(tmp_path):
    pid_file = tmp_path / "pid"

    def interrupt():
        while not (pid_file.exists() and pid_file.read_text()):
            time.sleep(0.01)
        signal.raise_signal(signal.SIGUSR1)

    def stop(*_):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGUSR1, stop)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            sh(f"echo $$ > {pid_file}; sleep 60")
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, old)
    pid = int(pid_file.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("argv", [["/nonexistent/program"], ["/"], ["/bin/sh\0"]])
def test_a_program_that_cannot_start_is_a_clear_error(argv):
    with pytest.raises(ProgramStartError, match="did not start"):
        run(argv, env=ENV, timeout=1, max_output=10)


def test_the_environment_and_the_folder_are_the_given_ones(tmp_path):
    done = run(["/usr/bin/env"], env={"A": "b"}, timeout=10, max_output=1000, cwd=tmp_path)
    assert done.stdout == b"A=b\n"
    assert sh("pwd", cwd=tmp_path).stdout.decode().strip() == str(tmp_path)


def test_a_child_gets_no_other_handles(tmp_path):
    with (tmp_path / "x").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        done = sh("ls /proc/self/fd")
    # The listing itself opens the folder as 3.
    assert set(done.stdout.split()) <= {b"0", b"1", b"2", b"3"}


def test_a_child_is_ended_politely():
    script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    with start(["/bin/sh", "-c", script], env=ENV) as child:
        assert child.stdout.read(6) == b"ready\n"
        assert os.getpgid(child.pid) == child.pid
        assert child.poll() is None
        assert child.wait(0) is None
        assert child.terminate(10) == 7
        assert child.stdout.read(4) == b"bye\n"
        assert child.terminate(1) == 7
        assert child.poll() == 7


def test_a_child_that_ignores_the_request_is_killed_with_its_group():
    script = "trap '' TERM; sleep 60 & echo $!; while :; do sleep 0.05; done"
    with start(["/bin/sh", "-c", script], env=ENV) as child:
        grandchild = int(child.stdout.read(20))
        began = time.monotonic()
        assert child.terminate(0.3) == -signal.SIGKILL
        assert 0.3 <= time.monotonic() - began < 5
    assert gone(grandchild)


def test_a_child_notices_by_its_lifeline_that_we_let_go():
    with start(["/bin/sh", "-c", "cat; exit 5"], env=ENV) as child:
        assert child.wait(0.05) is None
        child.stdin.close()
        assert child.wait(10) == 5
    with start(["/bin/sh", "-c", "cat; exit 5"], env=ENV, stdin_pipe=False) as child:
        assert child.stdin is None
        assert child.wait() == 5


def test_many_threads_may_wait_for_one_child():
    with start(["/bin/sh", "-c", "read x; exit 4"], env=ENV) as child:
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(child.wait(20))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        child.stdin.write(b"go\n")
        for thread in threads:
            thread.join()
    assert results == [4] * 4


def test_a_program_is_run_by_its_handle(tmp_path):
    program = tmp_path / "program"
    program.write_bytes(Path("/bin/echo").resolve().read_bytes())
    program.chmod(0o755)
    with program.open("rb") as held:
        program.unlink()
        done = run(
            ["echo", "it"],
            env=ENV,
            timeout=10,
            max_output=100,
            executable=f"/proc/{os.getpid()}/fd/{held.fileno()}",
        )
    assert done.stdout.strip().endswith(b"it")
