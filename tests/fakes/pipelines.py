"""The pipelines of a project, run here: each script as the service would run it, in its order.

Machines are folders; a test on another machine than this one is left out, and so is installing.
What a service does itself (checkout, artifacts, secrets of environments) is done as its
documentation says. Every command is noted with its job.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocm_pkg.model import yamltext

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PYTHON = """\
#!/bin/sh
if [ "$1 $2 $3" = "-m pip install" ]; then echo "$JOB pip $*" >> "$NOTES"; test -f "$5"; exit; fi
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin"; : > "$3/bin/activate"; exit; fi
exec "{python}" "$@"
"""
_OCM_PKG = """\
#!/bin/sh
echo "$JOB ocm-pkg $*" >> "$NOTES"
if [ "$1" = test ] && [ "$FAKE_MACHINE" != "$REAL_MACHINE" ]; then exit; fi
exec "{python}" -m ocm_pkg "$@"
"""
_SHIMS = {
    "ocm-pkg": _OCM_PKG,
    "python": _PYTHON,
    "python3": _PYTHON,
    "apt-get": '#!/bin/sh\necho "$JOB apt-get $*" >> "$NOTES"\n',
}
_EXPRESSION = re.compile(r"\$\{\{ *(.+?) *\}\}")


class JobFailedError(Exception):
    """A script of a job did not end with 0."""


@dataclass
class Service:
    """One run of a pipeline for ``tag`` of the repository ``source``.

    ``secrets`` are those of each environment; ``machines`` says which machine a runner is, and
    ``host`` which this one is. Every job gets ``environ``.
    """

    root: Path
    source: Path
    tag: str
    secrets: Mapping[str, Mapping[str, str]]
    variables: Mapping[str, str]
    machines: Mapping[str, str]
    host: str
    environ: Mapping[str, str]
    saw: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.root / "bin").mkdir(parents=True)
        for name, text in _SHIMS.items():
            (self.root / "bin" / name).write_text(text.replace("{python}", sys.executable))
            (self.root / "bin" / name).chmod(0o755)

    def notes(self) -> list[str]:
        """Return the commands that were run: job, command, arguments."""
        return (self.root / "notes").read_text().splitlines()

    def artifact(self, name: str) -> Path:
        """Return the folder in which an artifact is kept."""
        return self.root / "artifacts" / name

    def checkout(self, job: str) -> Path:
        """Return a new folder with the sources of the tag."""
        work = self.root / "jobs" / job
        subprocess.run(
            ["git", "clone", "-q", "--depth=1", f"--branch={self.tag}", self.source.as_uri(), work],
            check=True,
            capture_output=True,
            timeout=60,
        )
        return work

    def shell(self, job: str, work: Path, script: str, env: Mapping[str, str]) -> None:
        """Run one script as the services do."""
        self.saw.setdefault(job, set()).update(env.values())
        home, temporary = self.root / "homes" / job, self.root / "tmp"
        home.mkdir(parents=True, exist_ok=True)
        temporary.mkdir(exist_ok=True)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script],
            cwd=work,
            env={
                "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
                "HOME": str(home),
                "TMPDIR": str(temporary),
                **self.environ,
                "REAL_MACHINE": self.host,
                "JOB": job,
                "NOTES": str(self.root / "notes"),
                **env,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
        if done.returncode:
            raise JobFailedError(f"{job}: {done.stdout}{done.stderr}")


class GitHub(Service):
    """Runs ``.github/workflows/release.yml``."""

    def run(self) -> None:
        """Run all jobs, each after those that it needs."""
        text = (self.source / ".github/workflows/release.yml").read_text()
        document: Any = yamltext.load(text, name="release.yml").value
        needs: dict[str, Any] = {}
        for name, job in document["jobs"].items():
            context = {
                "needs": {each: needs[each] for each in job.get("needs", [])},
                "vars": self.variables,
                "secrets": self.secrets.get(job.get("environment", ""), {}),
                "github": {"ref": f"refs/tags/{self.tag}"},
            }
            matrix = job.get("strategy", {}).get("matrix", {}).get("include")
            for entry in _value(matrix, context) if matrix else [{}]:
                suffix = f"-{entry['name']}" if entry else ""
                needs[name] = self._job(f"{name}{suffix}", job, {**context, "matrix": entry})

    def _job(self, name: str, job: Any, context: dict[str, Any]) -> dict[str, Any]:
        steps: dict[str, Any] = {}
        context = {**context, "steps": steps}
        runner = _text(job["runs-on"], context)
        work = Path()
        for number, step in enumerate(job["steps"]):
            action = step.get("uses", "").partition("@")[0].removeprefix("actions/")
            given = {key: _text(value, context) for key, value in step.get("with", {}).items()}
            if action == "checkout":
                work = self.checkout(name)
            elif action == "upload-artifact":
                shutil.copytree(work / given["path"], self.artifact(given["name"]))
            elif action == "download-artifact":
                self._download(work, given)
            elif "run" in step:
                output = self.root / f"{name}-{number}.output"
                env = {**job.get("env", {}), **step.get("env", {})}
                self.shell(
                    name,
                    work,
                    _text(step["run"], context),
                    {
                        "GITHUB_REF_NAME": self.tag,
                        "GITHUB_OUTPUT": str(output),
                        "RUNNER_TEMP": str(self.root),
                        "FAKE_MACHINE": self.machines[runner],
                        **{key: _text(value, context) for key, value in env.items()},
                    },
                )
                lines = output.read_text().splitlines() if output.exists() else []
                said = dict(line.split("=", 1) for line in lines)
                steps[step.get("id", "")] = {"outputs": said}
            else:
                assert action in ("setup-python", "setup-go")
        outputs = job.get("outputs", {})
        return {"outputs": {key: _text(value, context) for key, value in outputs.items()}}

    def _download(self, work: Path, given: Mapping[str, str]) -> None:
        if "name" in given:
            shutil.copytree(self.artifact(given["name"]), work / given["path"])
            return
        assert given["merge-multiple"] == "true"  # else one artifact alone gets no folder
        for folder in sorted(self.artifact(".").glob(given["pattern"])):
            shutil.copytree(folder, work / given["path"], dirs_exist_ok=True)


class GitLab(Service):
    """Runs ``.gitlab-ci.yml``."""

    def run(self) -> None:
        """Run all jobs, stage by stage."""
        text = (self.source / ".gitlab-ci.yml").read_text()
        document: Any = yamltext.load(text, name=".gitlab-ci.yml").value
        assert document["workflow"]["rules"] == [{"if": "$CI_COMMIT_TAG =~ /^v/"}]
        for name in document["stages"]:
            job = document[name]
            for values in job.get("parallel", {}).get("matrix", [{}]):
                self._job(name, job, document["default"], values)

    def _job(self, name: str, job: Any, default: Any, values: Mapping[str, str]) -> None:
        title = "-".join([name, *values.get("MACHINE", "").split("/")]).rstrip("-")
        work = self.checkout(title)
        env = {
            "CI_COMMIT_TAG": self.tag,
            "CI_PROJECT_DIR": str(work),
            "FAKE_MACHINE": values.get("MACHINE", self.host),
            **values,
            **self.variables,
        }
        for needed in job.get("needs", []):
            shutil.copytree(self.artifact(needed), work, dirs_exist_ok=True)
            env.update(_dotenv(work / "dotenv"))
        for key, value in self.secrets.get(job.get("environment", ""), {}).items():
            env[key] = value
            if key == "SIGNING_KEY":  # it is of type file
                env[key] = str(self.root / "signing-key")
                Path(env[key]).write_text(value)
        before = job.get("before_script", default["before_script"])
        self.shell(title, work, "\n".join([*before, *job["script"]]), env)
        self._keep(name, work, job.get("artifacts", {}))

    def _keep(self, name: str, work: Path, artifacts: Any) -> None:
        kept = self.artifact(name)
        kept.mkdir(parents=True, exist_ok=True)
        for path in artifacts.get("paths", []):
            if (work / path).exists():
                shutil.copytree(work / path, kept / path, dirs_exist_ok=True)
        if variables := artifacts.get("reports", {}).get("dotenv"):
            shutil.copy(work / variables, kept / "dotenv")


def _dotenv(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text().splitlines() if path.exists() else []:
        name, _, value = line.partition("=")
        yield name, value


def _text(value: Any, context: Mapping[str, Any]) -> str:
    """Return a text with its expressions replaced; what is not there is empty, as on GitHub."""
    shown = value if isinstance(value, str) else json.dumps(value)
    return _EXPRESSION.sub(lambda found: str(_look_up(found[1], context)), shown)


def _value(text: str, context: Mapping[str, Any]) -> Any:
    """Return the value of a text that is one expression with ``fromJSON``."""
    match = re.fullmatch(r"\$\{\{ fromJSON\((.+)\) \}\}", text)
    assert match is not None, text
    return json.loads(_look_up(match[1], context))


def _look_up(path: str, context: Mapping[str, Any]) -> Any:
    found: Any = context
    for name in path.split("."):
        found = found.get(name, "") if found else ""
    return found
