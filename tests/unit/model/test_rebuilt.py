"""What a rebuild says: for people, for programs, and as an error."""

from __future__ import annotations

import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.rebuilt import (
    DIFFERENT,
    IDENTICAL,
    NOT_BUILT,
    PARTIAL,
    PLANNED,
    Difference,
    Rebuilt,
    RebuiltTarget,
    other_tools,
)

LINUX, MAC = Platform("linux", "amd64"), Platform("darwin", "arm64")
ONE, OTHER = digest_of(b"one"), digest_of(b"other")
IN_FILE = Difference("content", ("hello/data",), 7)


def rebuilt(*results):
    targets = [RebuiltTarget(LINUX, result) for result in results]
    return Rebuilt("example.com/hello", "1.0.0", "https://example.com/git", "c" * 40, (*targets,))


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([IDENTICAL, IDENTICAL], IDENTICAL),
        ([IDENTICAL, NOT_BUILT], PARTIAL),
        ([NOT_BUILT, DIFFERENT, IDENTICAL], DIFFERENT),
        ([NOT_BUILT, PLANNED], PLANNED),
    ],
)
def test_the_result_is_that_of_all_targets(results, expected):
    assert rebuilt(*results).result == expected


def test_a_difference_is_an_error_that_names_platform_file_and_place():
    targets = (
        RebuiltTarget(LINUX, DIFFERENT, ONE, OTHER, difference=IN_FILE),
        RebuiltTarget(MAC, IDENTICAL, ONE, ONE),
    )
    error = Rebuilt("example.com/hello", "1.0.0", ".", "c" * 40, targets).error
    assert error.exit_code == 4
    assert error.message.endswith(f"{'c' * 40} gives: linux/amd64")
    assert error.detail == ("linux/amd64: hello/data: the content differs, from byte 7 on",)
    assert rebuilt(IDENTICAL, NOT_BUILT).error is None


def test_programs_read_the_result_as_json():
    targets = (
        RebuiltTarget(LINUX, DIFFERENT, ONE, OTHER, difference=IN_FILE),
        RebuiltTarget(MAC, NOT_BUILT, reason="another machine's"),
    )
    value = Rebuilt("example.com/hello", "1.0.0", "repo", "c" * 40, targets).to_json()
    assert value == {
        "component": "example.com/hello",
        "version": "1.0.0",
        "result": DIFFERENT,
        "source": {"repository": "repo", "commit": "c" * 40},
        "targets": [
            {
                "platform": "linux/amd64",
                "result": DIFFERENT,
                "published": str(ONE),
                "rebuilt": str(OTHER),
                "difference": {"where": ["hello/data"], "what": "content", "offset": 7},
            },
            {
                "platform": "darwin/arm64",
                "result": NOT_BUILT,
                "reason": "another machine's",
                "published": None,
                "rebuilt": None,
            },
        ],
    }


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (Difference("compression"), "only the compression differs, unpacked it is the same"),
        (Difference("headers", (), 9), "only the archive's headers differ, from byte 9 on"),
        (
            Difference("mode", ("a",), None, "0644", "0755").inside("payload"),
            "payload: a: the mode differs: published 0644, rebuilt 0755",
        ),
        (
            Difference("entry", (), None, None, "b\x1b[31m"),
            "the entry differs: published nothing, rebuilt b\\x1b[31m",
        ),
    ],
    ids=["compression", "headers", "mode", "entry"],
)
def test_a_difference_reads_as_a_sentence(difference, text):
    assert str(difference) == text


def test_both_sides_of_a_difference_are_in_its_json():
    value = Difference("entry", (), None, "a", None).to_json()
    assert value == {"where": [], "what": "entry", "published": "a", "rebuilt": None}


def test_every_tool_that_is_another_one_here_is_named():
    recorded = {"python": "3.11.7", "zlib": "1.2.13", "go": "1.22"}
    here = {"python": "3.12.1", "zlib": "1.2.13", "image": "a@sha256:b"}
    assert other_tools(recorded, here) == [
        "image: recorded none, here a@sha256:b",
        "python: recorded 3.11.7, here 3.12.1",
    ]
    assert other_tools(recorded, {"rust": "none"}) == []
