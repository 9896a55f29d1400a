from __future__ import annotations

import json

import pytest

from ocm_pkg.errors import AlreadyExistsError, InvalidDocumentError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import ctfscan
from ocm_pkg.store.ctfindex import Entry, Index, Tagging

X, Y, Z = (digest_of(each) for each in (b"x", b"y", b"z"))
ENTRIES = (
    Entry("r/a", X, "1.0.0", "type/x"),
    Entry("r/a", Y, None, "type/y"),
    Entry("r/b", X, "1.0.0"),
    Entry("r/a", Z, "{2", "t}"),
)
DATA = Index(ENTRIES).encode()


def loose(data):
    """Return the same index in a form that is not the common one."""
    return json.dumps(json.loads(data), indent=1).encode()


BOTH = pytest.mark.parametrize("data", [DATA, DATA + b"\n", loose(DATA)], ids=["a", "b", "c"])


def test_only_the_common_form_is_scanned():
    assert ctfscan.is_common(DATA)
    assert ctfscan.is_common(b'{"schemaVersion":1,"artifacts":[]}')
    assert not ctfscan.is_common(loose(DATA))


@BOTH
def test_both_forms_give_the_same(data):
    index = Index.parse(data, "it")
    assert index.entries == ENTRIES
    for _ in range(20):
        assert index.find("r/a", "1.0.0") == ENTRIES[0]
    index = Index.parse(data, "it")
    assert index.find("r/b", "1.0.0") == ENTRIES[2]
    assert index.find("r/a", str(Y)) == ENTRIES[1]
    assert index.find("r/b", str(X)) == ENTRIES[2]
    assert index.find("r/a", "{2") == ENTRIES[3]
    for repository, reference in [
        ("r/b", str(Y)),
        ("r/c", "1.0.0"),
        ("r", "1.0.0"),
        ("r/a", "1.0"),
        ("r/a", ""),
        ("", "1.0.0"),
        ("r/a", '1.0.0","digest'),
        ("r/a", "\u00e9"),
        ("r/a", "type/x"),
    ]:
        assert index.find(repository, reference) is None
    assert list(index.tags("r/a")) == ["1.0.0", "{2"]
    assert list(index.tags("r/c")) == []
    assert list(index.tags('r"')) == []
    assert index.repositories() == ["r/a", "r/b"]
    assert json.loads(index.encode()) == json.loads(DATA)


@pytest.mark.parametrize(
    "break_it",
    [
        lambda text: text.replace('"schemaVersion":1', '"schemaVersion":2'),
        lambda text: text.replace('"tag"', '"label"', 1),
        lambda text: text.replace("sha256:", "sha256:../", 1),
        lambda text: text.replace("type/y", 'type/y","x":"'),
        lambda text: text.replace('"1.0.0"', "1", 1),
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text.replace('"repository":"r/b",', ""),
        lambda text: text.replace('"repository":"r/b"', '"repository":""'),
        lambda text: text.replace('"tag":"1.0.0"', '"tag":"1.0.0","tag":"2.0.0"', 1),
        lambda text: text.replace("type/y", "type\\/\\ud800"),
    ],
)
def test_a_broken_entry_is_refused_whichever_entry_is_wanted(break_it):
    with pytest.raises(InvalidDocumentError):
        Index.parse(break_it(DATA.decode()).encode(), "it")


def test_texts_with_escapes_and_other_alphabets_are_read_as_json():
    entries = (Entry('r/"a\\', X, "t\u00e9", "type"), Entry("r/b", Y, "2"))
    index = Index.parse(Index(entries).encode(), "it")
    assert index.entries == entries
    assert index.find('r/"a\\', "t\u00e9") == entries[0]
    escaped = Index(ENTRIES).encode().replace(b"r/a", b"r\\/a")
    assert Index.parse(escaped, "it").entries == ENTRIES


def tagging(repository, digest, tag, **options):
    return Tagging(Entry(repository, digest, tag, "t"), **options)


@BOTH
@pytest.mark.parametrize(
    "taggings",
    [
        [tagging("r/a", digest_of(b"new"), "3.0.0")],
        [tagging("r/c", digest_of(b"new"), "1.0.0"), tagging("r/c", digest_of(b"n2"), "2.0.0")],
        [tagging("r/a", digest_of(b"new"), "1.0.0")],
        [tagging("r/a", Y, "2.0.0")],
        [tagging("r/a", X, "2.0.0"), tagging("r/a", X, "3.0.0")],
        [tagging("r/c", digest_of(b"n"), "1"), tagging("r/c", digest_of(b"m"), "1")],
        [tagging("r/c", digest_of(b"n"), "1", parts=(Entry("r/c", digest_of(b"m")),))],
        [tagging("r/b", digest_of(b"n"), "1", parts=(Entry("r/b", X), Entry("r/b", Y)))],
        [tagging("r/b", digest_of(b"n"), "\u00e9")],
        [],
    ],
)
def test_tags_are_set_in_both_forms_alike(data, taggings):
    got = Index.parse(data, "it").with_tags(taggings, "it")
    expected = list(ENTRIES)
    for each in taggings:
        new = each.entry
        for place, old in enumerate(expected):
            if (old.repository, old.tag) == (new.repository, new.tag):
                expected[place] = Entry(old.repository, old.digest, None, old.media_type)
        known = {(old.repository, old.digest) for old in expected}
        expected += [part for part in each.parts if (part.repository, part.digest) not in known]
        expected = [
            old
            for old in expected
            if (old.repository, old.digest, old.tag) != (new.repository, new.digest, None)
        ]
        expected.append(new)
    assert got.entries == tuple(expected)
    assert Index.parse(got.encode(), "it").entries == tuple(expected)


@BOTH
def test_nothing_changes_if_the_tag_is_there(data):
    index = Index.parse(data, "it")
    assert index.with_tags([tagging("r/a", X, "1.0.0", replace=False)], "it") is index
    assert index.with_tags([], "it") is index
    with pytest.raises(AlreadyExistsError, match=r"r/a:1\.0\.0 is in it"):
        index.with_tags([tagging("r/a", Y, "1.0.0", replace=False)], "it")


def test_a_tag_that_was_there_twice_is_taken_from_both():
    index = Index((Entry("r", X, "1"), Entry("r", Y, "1"))).with_tags([tagging("r", Z, "1")], "it")
    assert index.entries == (Entry("r", X), Entry("r", Y), Entry("r", Z, "1", "t"))


def test_the_first_entries_of_an_empty_index_are_appended():
    index = Index.parse(b'{"schemaVersion":1,"artifacts":[]}\n', "it")
    index = index.with_tags([tagging("r", X, "1"), tagging("r", Y, "2")], "it")
    assert [entry.tag for entry in Index.parse(index.encode(), "it").entries] == ["1", "2"]
    assert ctfscan.is_common(index.encode())


@BOTH
def test_a_manifest_is_added_without_a_tag_once(data):
    index = Index.parse(data, "it")
    assert index.with_manifest(Entry("r/a", Y, None, "other")) is index
    assert index.with_manifest(Entry("r/a", X, None, "other")) is index
    more = index.with_manifest(Entry("r/b", Y, None, "type/y"))
    assert more.entries == (*ENTRIES, Entry("r/b", Y, None, "type/y"))
    assert Index.parse(more.encode(), "it").entries == more.entries
    assert Index().with_manifest(Entry("r", X)).entries == (Entry("r", X),)
    odd = index.with_manifest(Entry("r/\u00e9", Y))
    assert Index.parse(odd.encode(), "it").entries == (*ENTRIES, Entry("r/\u00e9", Y))


@BOTH
def test_a_tag_is_taken_away_and_what_it_stood_for_stays(data):
    index = Index.parse(data, "it")
    less = index.without_tag("r/a", "1.0.0")
    assert less.find("r/a", "1.0.0") is None
    assert less.find("r/a", str(X)) == Entry("r/a", X, None, "type/x")
    assert less.find("r/b", "1.0.0") == ENTRIES[2]
    assert len(less.entries) == 4
    for repository, tag in (("r/a", "2"), ("r/c", "1.0.0")):
        assert index.without_tag(repository, tag) is index


@BOTH
def test_a_manifest_is_taken_away_with_its_tags_in_one_repository(data):
    index = Index.parse(data, "it").with_tags([Tagging(Entry("r/a", X, "latest"))], "it")
    less = index.without("r/a", X)
    assert less.entries == ENTRIES[1:]
    assert index.without("r/b", Y) is index
    assert index.without("r/c", X) is index
