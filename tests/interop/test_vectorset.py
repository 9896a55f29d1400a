"""The whole set of vectors, through the command line."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.vectorset import suite
from tests.vectorset.commands import Done
from tests.vectorset.world import VectorSet

PROJECT = Path(__file__).parents[2]
SET = PROJECT.parent / "shared/vectors"
pytestmark = pytest.mark.skipif(not SET.is_dir(), reason="needs ../shared/vectors")
TOOLS = ("v1", "v2")
WITHOUT_VECTOR = "## Seen when the tools were run"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_vector_is_as_expected() -> None:
    outcomes = list(suite.run(SET))
    assert [f"{one.id}: {problem}" for one in outcomes for problem in one.problems] == []
    assert len(outcomes) == len(VectorSet(SET).vectors)


class Always:
    """A command line that says the same to everything."""

    def __init__(self, code: int) -> None:
        self._code = code
        self.asked = 0

    def run(self, arguments, _folder) -> Done:
        self.asked += 1
        return Done(tuple(arguments), self._code, b"", "", 0.0)

    def close(self) -> None:
        pass


def passed_by(code: int, folder: Path) -> set[str]:
    """Return the vectors that are content with a command line which always ends with ``code``."""
    vectors = VectorSet(SET)
    found = set()
    for number, (name, vector) in enumerate(vectors.vectors.items()):
        commands = Always(code)
        outcome = suite.check(vectors, vector, commands, folder / f"{code}-{number}")
        assert commands.asked > 0 or outcome.not_asked
        if not outcome.problems:
            found.add(name)
    return found


def test_no_vector_is_content_with_a_command_line_that_accepts_everything(tmp_path: Path) -> None:
    harmless = {
        f"tampered/{name}"
        for name in (
            "media-type-of-access",
            "repository-contexts",
            "unsigned-label-added",
            "label-unsigned-changed",
            "label-signed-null-added",
        )
    }
    assert passed_by(0, tmp_path) == harmless


def test_only_vectors_to_be_refused_are_content_with_one_that_refuses_everything(
    tmp_path: Path,
) -> None:
    found = passed_by(4, tmp_path)
    bad = ("expired", "serverauth", "key-mismatch", "leaf-only")
    open_ended = ("malformed/index-unknown-field", "malformed/unknown-field", "malformed/huge-ints")
    vectors = VectorSet(SET).vectors
    for name in found - {*open_ended, "tampered/signature-uppercase-hex"}:
        expected = str(vectors[name].get("expect", ""))
        assert (
            name.endswith(bad)
            or expected.startswith(("reject", "verify FAIL"))
            or name == "malformed/descriptor-tar-dot-slash"
        ), name


def cells() -> list[list[str]]:
    """Return the patterns in the last cell of every row of the document."""
    text = (PROJECT / "docs/compatibility.md").read_text().partition(WITHOUT_VECTOR)[0]
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`" in line]
    return [re.findall(r"`([^`]+)`", row.split("|")[-2]) for row in rows]


def test_every_row_of_the_compatibility_document_names_vectors_that_there_are() -> None:
    ids = VectorSet(SET).vectors
    for row in cells():
        assert row
        for pattern in row:
            assert any(fnmatchcase(each, pattern) for each in ids), pattern


def test_every_other_row_names_a_test_that_there_is() -> None:
    text = (PROJECT / "docs/compatibility.md").read_text().partition(WITHOUT_VECTOR)[2]
    named = re.findall(r"\| `(test_\w+)` \|$", text, re.MULTILINE)
    tests = "".join(path.read_text() for path in (PROJECT / "tests").rglob("test_*.py"))
    assert len(named) == text.count("\n| ") - 2
    assert [name for name in named if f"def {name}(" not in tests] == []


def outcomes_of(vector) -> list[dict[str, bool]]:
    """Return what each reference tool made of a vector: question to whether it was content."""
    said = [vector.get("reference_behaviour"), vector.get("read"), vector]
    found: dict[str, dict[str, bool]] = {tool: {} for tool in TOOLS}
    for record in said:
        for question, answer in (record or {}).items():
            tool, _, what = question.partition(" ")
            if tool in TOOLS and isinstance(answer, str):
                found[tool][what] = answer.startswith("ok")
    for key, answers in vector.get("verify", {}).items():
        if isinstance(answers, dict):
            for tool in TOOLS:
                found[tool][key] = answers[tool].startswith("ok")
    return list(found.values())


def test_every_vector_that_the_reference_tools_disagree_about_is_in_the_document() -> None:
    patterns = [pattern for row in cells() for pattern in row]
    for name, vector in VectorSet(SET).vectors.items():
        one, other = outcomes_of(vector)
        if any(one[what] != other[what] for what in {*one} & {*other}):
            assert any(fnmatchcase(name, pattern) for pattern in patterns), name
