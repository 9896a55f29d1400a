from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import mapping, media
from ocm_pkg.store.ctfindex import Entry, Index, Tagging
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, descriptor, resource

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "schemaVersion",
                    "mediaType",
                    "config",
                    "layers",
                    "manifests",
                    "digest",
                    "size",
                    "artifacts",
                    "repository",
                    "tag",
                    "annotations",
                    "platform",
                    "componentDescriptorLayer",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
DOCUMENTS = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())
settings.register_profile("derandomized", derandomize=True, deadline=None)
SETTINGS = settings.get_profile("derandomized")


@SETTINGS
@given(DOCUMENTS)
def test_any_bytes_are_a_document_or_an_error_of_ours(data):
    for read in (mapping.read_manifest, mapping.read_index, mapping.media_type_of, Index.parse):
        with contextlib.suppress(OcmPkgError):
            read(data, "it")
    with contextlib.suppress(OcmPkgError):
        mapping.read_config(data, [], "it")
    with contextlib.suppress(OcmPkgError):
        mapping.read_descriptor(data, f"{media.DESCRIPTOR}+yaml+tar", "it")


NAMES = st.from_regex(r"[a-z0-9]{2,8}", fullmatch=True)
CONTENTS = st.dictionaries(NAMES, st.binary(max_size=20), max_size=6)


@SETTINGS
@given(CONTENTS)
def test_what_is_stored_comes_back(contents):
    repository = ComponentRepository(MemoryStore())
    elements = [
        repository.put_blob(NAME, "1.0.0", resource(name), BytesBlob(data, "text/plain"))
        for name, data in contents.items()
    ]
    added = descriptor(resources=elements)
    repository.add(added)
    got = repository.get(NAME, "1.0.0")
    assert got == added
    for element in got.component.resources:
        assert read_all(repository.blob(got, element), 100, "it") == contents[element.name]


@SETTINGS
@given(CONTENTS)
def test_there_is_one_layer_for_each_distinct_content(contents):
    repository = ComponentRepository(MemoryStore())
    elements = [
        repository.put_blob(NAME, "1.0.0", resource(name), BytesBlob(data))
        for name, data in contents.items()
    ]
    sizes = {digest_of(data): len(data) for data in contents.values()}
    pack = mapping.pack(descriptor(resources=elements), sizes, creator="x")
    _config, layers = mapping.read_manifest(pack.manifest, "it")
    assert [each.digest for each in layers[1:]] == list(
        dict.fromkeys(map(digest_of, contents.values()))
    )
    named = [json.loads(each.annotations[media.ARTIFACT]) for each in layers[1:]]
    assert sorted(each["identity"]["name"] for layer in named for each in layer) == sorted(contents)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from(["1", "2"]), st.sampled_from([b"x", b"y", b"z"])
    ),
    max_size=8,
)


@SETTINGS
@given(OPERATIONS)
def test_an_index_remembers_the_last_of_each_tag_and_every_digest(operations):
    index, expected = Index(), {}
    for repository, tag, data in operations:
        index = index.with_tags([Tagging(Entry(repository, digest_of(data), tag, "t"))], "it")
        expected[repository, tag] = digest_of(data)
    index = Index.parse(index.encode(), "it")
    for (repository, tag), digest in expected.items():
        assert index.find(repository, tag).digest == digest
    for repository, _tag, data in operations:
        assert index.find(repository, str(digest_of(data))) is not None
    assert index.repositories() == sorted({each[0] for each in operations})
    assert len(set(index.entries)) == len(index.entries)


TEXTS = st.text('ab1."\\{}[],:/\u00e9 \n', min_size=1, max_size=5)
ENTRIES = st.lists(
    st.builds(
        Entry,
        TEXTS,
        st.sampled_from([digest_of(b"x"), digest_of(b"y"), digest_of(b"x", "sha512")]),
        st.none() | TEXTS,
        st.none() | TEXTS,
    ),
    max_size=5,
    unique_by=lambda entry: (entry.repository, entry.digest, entry.tag),
)


@SETTINGS
@given(ENTRIES, st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
def test_an_index_says_the_same_in_whatever_form_it_is_read(entries, wanted):
    compact = Index(entries).encode()
    loose = json.dumps(json.loads(compact), indent=1).encode()
    one, two = Index.parse(compact, "it"), Index.parse(loose, "it")
    assert one.entries == two.entries == tuple(entries)
    wanted += [
        (each.repository, text) for each in entries for text in (each.tag, str(each.digest)) if text
    ]
    for repository, reference in wanted:
        assert one.find(repository, reference) == two.find(repository, reference)
        assert one.tags(repository) == two.tags(repository)
    assert one.repositories() == two.repositories()
    new = Tagging(Entry("ab", digest_of(b"z"), "1", "t"))
    assert one.with_tags([new], "it").entries == two.with_tags([new], "it").entries


@SETTINGS
@given(ENTRIES, st.integers(0, 10_000), st.sampled_from([*'"\\{},:[]x1', ""]))
def test_a_changed_index_is_scanned_only_if_it_is_one(entries, place, text):
    data = Index(entries).encode().decode()
    place %= len(data)
    changed = (data[:place] + text + data[place + 1 :]).encode()
    try:
        index = Index.parse(changed, "it")
    except OcmPkgError:
        return
    loose = json.dumps(json.loads(changed), indent=1).encode()
    assert index.entries == Index.parse(loose, "it").entries
