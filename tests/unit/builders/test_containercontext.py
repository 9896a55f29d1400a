"""What an image gets to see of a project: its sources, the locks, and no more."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from ocm_pkg.builders.containercontext import write_context
from ocm_pkg.builders.containerpip import PipSettings
from ocm_pkg.errors import ConfigError, FileMissingError
from tests.fakes.container_jobs import IMAGE, LOCK, container_job

MOUNTS = "--mount=type=secret,id=pip --mount=type=bind,source=pip,target=/run/ocm-pkg"


def written(job, pip=None, *, offline=False):
    write_context(job, pip or PipSettings({}), offline=offline)
    return job.work / "context"


def test_the_file_says_how_the_program_is_made(tmp_path):
    text = (written(container_job(tmp_path)) / "Containerfile").read_text()
    assert text.splitlines()[1:] == [
        f"FROM {IMAGE} AS build",
        "USER 0:0",
        "WORKDIR /build",
        "COPY tool/ /build/tool/",
        "COPY locks/ /build/locks/",
        f'RUN {MOUNTS} ["python3", "-I", "/build/tool/freeze-in-container.py", "environment"]',
        "COPY frozen/ /build/",
        'RUN ["python3", "-I", "/build/tool/freeze-in-container.py", "freeze"]',
        "FROM scratch",
        "COPY --from=build /build/result/ /",
    ]


def test_what_it_starts_from_is_a_file_of_its_own(tmp_path):
    context = written(container_job(tmp_path))
    assert (context / "Containerfile.base").read_text() == f"FROM {IMAGE}\n"


def test_pyinstaller_is_called_as_on_this_machine_with_paths_of_the_container(tmp_path):
    job = container_job(tmp_path, exclude="[tkinter]", **{"hidden-imports": "[json]"})
    settings = json.loads((written(job) / "frozen/settings.json").read_text())
    arguments = settings["arguments"]
    assert {"--onedir", "--noupx", "--name=hello", "--distpath=/build/work/dist"} < set(arguments)
    assert {"--exclude-module=tkinter", "--hidden-import=json"} < set(arguments)
    assert [argument for argument in arguments if argument.startswith("--paths")] == [
        *("--paths=/build/source/0", "--paths=/build/source/1"),
    ]
    assert arguments[-1] == "/build/source/0/hello/__main__.py"
    assert settings["environment"]["PYTHONHASHSEED"] == "0"
    assert str(tmp_path) not in json.dumps(settings)


def test_sources_sdk_and_hooks_are_there(tmp_path):
    frozen = written(container_job(tmp_path)) / "frozen"
    assert (frozen / "source/0/hello/__main__.py").read_text() == "print()\n"
    assert (frozen / "source/1/ocm_pkg/sdk/__init__.py").is_file()
    assert (frozen / "hooks/hook-ocm_pkg.py").is_file()
    settings = json.loads((frozen / "settings.json").read_text())
    named = [text.partition("=")[2] for text in settings["arguments"] if "hook=" in text]
    assert [name for name in named if not (frozen / name.removeprefix("/build/")).is_file()] == []


def test_a_module_with_relative_imports_is_run_as_one(tmp_path):
    job = container_job(tmp_path)
    (tmp_path / "src/hello/__main__.py").write_text("from . import x\n")
    frozen = written(job) / "frozen"
    settings = json.loads((frozen / "settings.json").read_text())
    assert settings["arguments"][-1] == "/build/source/hello.py"
    assert "run_module('hello'" in (frozen / "source/hello.py").read_text()


def test_only_what_can_be_imported_is_copied(tmp_path):
    job = container_job(tmp_path, entry="main.py")
    (tmp_path / "main.py").write_text("print()\n")
    for name in (".git/config", ".env", "venv/pyvenv.cfg", "venv/lib/x.py", "lib/__pycache__/a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "lib/data.txt").touch()
    (tmp_path / "dist/old").touch()
    (tmp_path / "lib/again").symlink_to(tmp_path / "lib")
    (tmp_path / "lib/linked.py").symlink_to(tmp_path / "main.py")
    (tmp_path / "lib/broken.py").symlink_to("absent")
    os.mkfifo(tmp_path / "lib/pipe")
    source = written(job) / "frozen/source/0"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    assert files == {
        *("main.py", "a.lock", "src/hello/__init__.py", "src/hello/__main__.py"),
        *("lib/data.txt", "lib/linked.py"),
    }
    assert not (source / "lib/linked.py").is_symlink()


def test_the_same_sources_give_the_same_context_anywhere(tmp_path):
    made = []
    for name, mask, time in (("one", 0o022, 1), ("two/deeper", 0o077, 2)):
        before = os.umask(mask)
        try:
            job = container_job(tmp_path / name, requirements="a.lock")
            (job.folder / "src/hello/__main__.py").chmod(0o600 | mask)
            os.utime(job.folder / "src/hello/__main__.py", (time, time))
            context = written(job)
        finally:
            os.umask(before)
        made.append(
            {
                path.relative_to(context): (
                    path.stat().st_mode,
                    path.stat().st_mtime,
                    path.read_bytes() if path.is_file() else None,
                )
                for path in sorted(context.rglob("*"))
            }
        )
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("lock", "names"),
    [
        (None, ["1-pyinstaller.lock"]),
        (LOCK, ["1-pyinstaller.lock", "2-requirements.lock"]),
        ("PyInstaller==6.22.3 --hash=sha256:00\n", ["1-requirements.lock"]),
    ],
)
def test_locks_are_installed_in_order(tmp_path, lock, names):
    job = container_job(tmp_path, requirements="a.lock")
    (tmp_path / "a.lock").write_text(lock or "")
    if lock is None:
        job = replace(job, target=replace(job.target, requirements=None))
    locks = written(job) / "locks"
    assert sorted(path.name for path in locks.iterdir()) == names


def test_a_lock_that_pins_ocm_pkg_brings_the_sdk(tmp_path):
    job = container_job(tmp_path, requirements="a.lock")
    (tmp_path / "a.lock").write_text("ocm_pkg==1 --hash=sha256:00\n")
    assert not (written(job) / "frozen/source/1").exists()


def test_a_lock_without_hashes_is_refused(tmp_path):
    job = container_job(tmp_path, requirements="a.lock")
    (tmp_path / "a.lock").write_text("x==1\n")
    with pytest.raises(ConfigError, match="no hashes"):
        written(job)


def test_what_pip_needs_is_in_no_part_that_is_copied(tmp_path):
    (tmp_path / "ca.pem").write_text("authority")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/x-1-py3-none-any.whl").write_text("wheel")
    url = "https://name:hunter2@example.com/simple"
    pip = PipSettings({"index-url": url}, tmp_path / "ca.pem", (tmp_path / "wheels",))
    job = container_job(tmp_path / "p", requirements="a.lock")
    context = written(job, pip)
    assert (job.work / "pip.conf").stat().st_mode & 0o777 == 0o600
    assert url in (job.work / "pip.conf").read_text()
    assert (context / "pip/ca.pem").read_text() == "authority"
    assert (context / "pip/wheels/x-1-py3-none-any.whl").read_text() == "wheel"
    seen = [path.read_bytes() for path in context.rglob("*") if path.is_file()]
    assert not [data for data in seen if b"hunter2" in data]
    assert "COPY pip" not in (context / "Containerfile").read_text()


def test_authorities_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileMissingError, match=r"absent\.pem"):
        written(container_job(tmp_path), PipSettings({}, tmp_path / "absent.pem"))
