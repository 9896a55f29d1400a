"""Component constructors: both forms, variables, inputs, and errors that point at the line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.constructor import (
    DirInput,
    FileInput,
    OtherInput,
    Utf8Input,
    dump_constructor,
    parse_constructor,
)
from tests.fakes.descriptors import ALL_VECTORS, HEX, OWN_VECTORS

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.model.constructor import (
        Constructor,
        ConstructorResource,
    )

ADR_SAMPLE = """\
name: ocm.software/plugins/oci
provider:
  name: ocm.software
resources:
- extraIdentity:
    architecture: amd64
    os: linux
  input:
    path: out/ociplugin.linux-amd64
    type: file
  name: ociplugin
  type: ocmPlugin
  version: 0.0.1
- extraIdentity:
    architecture: arm64
    os: linux
  input:
    path: out/ociplugin.linux-arm64
    type: file
  name: ociplugin
  type: ocmPlugin
  version: 0.0.1
"""
HEAD = "name: ocm.test/x\nversion: 1.0.0\nprovider: {name: p}\n"
RESOURCE = f"{HEAD}resources:\n- name: ab\n  type: blob\n"


def read(text: str, **variables: str) -> Constructor:
    return parse_constructor(text.encode(), name="c.yaml", variables=variables)


def resource(text: str, **variables: str) -> ConstructorResource:
    """Return the one resource of a constructor, whose last members are ``text``."""
    [component] = read(RESOURCE + text, **variables).components
    return component.resources[0]


def refused(text: str, **variables: str) -> InvalidDocumentError:
    with pytest.raises(InvalidDocumentError) as caught:
        read(text, **variables)
    error = caught.value
    assert error.at is not None
    assert re.fullmatch(r"c\.yaml:\d+:\d+", error.at)
    assert error.message.isprintable()
    return error


def test_the_sample_of_the_adr_lacks_only_a_version() -> None:
    error = refused(ADR_SAMPLE)
    assert error.message == "c.yaml: the component has no version"
    assert error.hint is not None
    assert "--set version=0.0.1" in error.hint
    [component] = read(ADR_SAMPLE, version="0.0.1").components
    assert (component.name, component.version) == ("ocm.software/plugins/oci", "0.0.1")
    assert component.provider.name == "ocm.software"
    first, second = component.resources
    assert first.extra_identity == {"architecture": "amd64", "os": "linux"}
    assert (first.relation, first.version) == ("local", "0.0.1")
    assert isinstance(second.input, FileInput)
    assert (second.input.path, second.input.media_type) == ("out/ociplugin.linux-arm64", None)


def test_a_version_of_a_component_is_kept_and_only_missing_ones_are_filled() -> None:
    listed = "components:\n- {name: ocm.test/a, version: '1.0', provider: {name: p}}\n"
    listed += "- {name: ocm.test/b, provider: {name: p}}\n"
    versions = [component.version for component in read(listed, version="2.0").components]
    assert versions == ["1.0", "2.0"]
    assert refused(listed).message == "c.yaml: components[1] has no version"
    assert refused(listed).at == "c.yaml:3:3"


def test_a_constructor_survives_a_round_trip() -> None:
    for path in sorted(OWN_VECTORS.glob("inputs/*/constructor.yaml")):
        one = parse_constructor(path.read_bytes(), name=path.name, variables={})
        again = parse_constructor(dump_constructor(one).encode(), name="again", variables={})
        assert again == one


@pytest.mark.skipif(not ALL_VECTORS.is_dir(), reason="needs ../shared/vectors")
def test_every_constructor_of_the_vectors_is_read() -> None:
    for path in sorted(ALL_VECTORS.glob("inputs/*/constructor.yaml")):
        assert parse_constructor(path.read_bytes(), name=path.name, variables={}).components


ACCEPTED = {"case-05", "case-06", "case-10", "case-14"}


@pytest.mark.parametrize(
    "path", sorted(OWN_VECTORS.glob("malformed/constructors/*")), ids=lambda path: path.stem
)
def test_a_constructor_is_accepted_where_the_reference_tools_agree(path: Path) -> None:
    text = path.read_text()
    if path.stem in ACCEPTED:
        assert read(text).components[0].resources[0].type == "blob"
    else:
        assert re.search(
            r"components\[0\]\.(resources\[0\]\.)?(name|version)", refused(text).message
        )


def test_inputs_are_read_by_their_type() -> None:
    found = resource("  input: {type: file, path: a, mediaType: text/plain, compress: true}").input
    assert isinstance(found, FileInput)
    assert (found.path, found.media_type, found.compress) == ("a", "text/plain", True)
    found = resource(
        "  input: {type: dir, path: a, preserveDir: true, excludeFiles: ['*.log'],"
        " includeFiles: [b],"
        " reproducible: true, followSymlinks: false}"
    ).input
    assert isinstance(found, DirInput)
    assert (found.preserve_dir, found.exclude_files, found.include_files) == (
        True,
        ["*.log"],
        ["b"],
    )
    found = resource("  input: {type: helm, path: chart, deep: {a: [1]}}").input
    assert isinstance(found, OtherInput)
    assert found.to_json() == {"type": "helm", "path": "chart", "deep": {"a": [1]}}


@pytest.mark.parametrize("name", ["file", "File", "file/v1", "File/v1"])
def test_input_types_may_be_spelt_as_in_the_reference_tools(name: str) -> None:
    assert isinstance(resource(f"  input: {{type: {name}, path: a}}").input, FileInput)


@pytest.mark.parametrize("name", ["utf8", "UTF8/v1", "Utf8"])
def test_utf8_may_be_spelt_in_capitals(name: str) -> None:
    assert isinstance(resource(f"  input: {{type: {name}, text: a}}").input, Utf8Input)


@pytest.mark.parametrize(
    ("member", "form", "media_type", "data"),
    [
        ("text: 'a\u00e9'", "text", "text/plain", "aé"),
        ("text: ''", "text", "text/plain", ""),
        ("json: {b: [1, 2.5], a: null}", "json", "application/json", '{"a":null,"b":[1,2.5]}'),
        ("json: null", "json", "application/json", "null"),
        (
            "formattedJson: {b: 1, a: 2}",
            "formattedJson",
            "application/json",
            '{\n  "a": 2,\n  "b": 1\n}',
        ),
        ("yaml: {b: 1, a: 'no'}", "yaml", "application/x-yaml", "a: 'no'\nb: 1\n"),
    ],
)
def test_content_in_the_constructor_has_four_forms(
    member: str, form: str, media_type: str, data: str
) -> None:
    found = resource(f"  input: {{type: utf8, {member}}}").input
    assert isinstance(found, Utf8Input)
    assert (found.form, found.default_media_type) == (form, media_type)
    assert found.data() == data.encode()


@pytest.mark.parametrize("members", ["", ", text: a, json: 1", ", text: null", ", mediaType: x"])
def test_content_in_the_constructor_has_exactly_one_form(members: str) -> None:
    assert "exactly one of" in refused(f"{RESOURCE}  input: {{type: utf8{members}}}").message


@pytest.mark.parametrize(
    ("text", "message", "hint", "line"),
    [
        (
            "  inputt: {type: file}",
            "resources[0].inputt is not a known key",
            "did you mean 'input'?",
            7,
        ),
        (
            "  input: {type: file, pth: x}",
            "resources[0].input.pth is not",
            "did you mean 'path'?",
            7,
        ),
        ("  input: {type: file, path: ''}", "resources[0].input.path must not be empty", None, 7),
        ("  input: x", "resources[0].input must be a mapping", None, 7),
        ("  input: {path: x}", "resources[0].input.type is missing", None, 7),
        ("", "resources[0] has neither input nor access", "where the content comes from", 5),
        ("  input: {type: a}\n  access: {type: b}", "has both input and access", "keep one", 8),
        ("  input: {type: a}\n  relation: external", "can only be local", "remove relation", 8),
        (
            "  input: {type: a}\n  digest: {hashAlgorithm: a, normalisationAlgorithm: b, value: c}",
            "only an access can be pinned",
            "remove digest",
            8,
        ),
        ("  access: {type: b}", "resources[0].version is missing", None, 5),
        (
            "  input: {type: a}\n  version: 1.10",
            "version must be text, but it is the number 1.1",
            "quotes",
            8,
        ),
        (
            "  input: {type: a}\n  labels:\n  - {name: a, value: 1, signign: true}",
            "signign",
            "'signing'",
            9,
        ),
        ("  input: {type: a}\n  srcRefs:\n  - {selector: {}}", "selector", "identitySelector", 9),
        ("  input: {type: a}\n  options: {ownershipPolicy: Always}", "must be 'Never'", None, 8),
        ("  input: {type: a}\n  extraIdentity: {name: x}", "the element's own", None, 8),
        ("  input: {type: a}\n- 5", "resources[1] must be a mapping", None, 8),
    ],
)
def test_an_element_that_breaks_the_rules_is_refused_at_its_line(
    text: str, message: str, hint: str | None, line: int
) -> None:
    error = refused(RESOURCE + text)
    assert message in error.message
    assert (hint or "") in (error.hint or "")
    assert error.at is not None
    assert error.at.startswith(f"c.yaml:{line}:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the document must be a mapping"),
        ("- a", "the document must be a mapping"),
        ("components: {}", "components must be a list"),
        ("components: []", "components is wrong"),
        ("components: [5]", "components[0] must be a mapping"),
        (f"components: []\n{HEAD}", "name is not a known key"),
        (f"{HEAD}labls: []", "labls is not a known key"),
        (f"{HEAD}resources: {{}}", "resources must be a list"),
        (f"{HEAD}sources: {{}}", "sources must be a list"),
        (HEAD.replace("{name: p}", "p"), "provider must be a mapping"),
        (HEAD.replace("name: p", "nam: p"), "provider.nam is not a known key"),
        (HEAD.replace("1.0.0", "1"), "version must be text, but it is the number 1"),
        (f"{HEAD}version: 2", "stands twice"),
        ("a: [", "is not YAML"),
        (f"{HEAD}---\n{HEAD}", "second document"),
        (
            f"{HEAD}sources:\n- {{name: ab, type: b, input: {{type: a}}, relation: local}}",
            "relation is not",
        ),
        (f"{HEAD}sources:\n- {{name: ab, type: b}}", "sources[0] has neither"),
        (
            f"{HEAD}sources:\n- {{name: ab, type: b, input: {{type: a}}, access: {{type: b}}}}",
            "has both",
        ),
    ],
)
def test_a_document_that_breaks_the_rules_is_refused(text: str, message: str) -> None:
    assert message in refused(text).message


def test_lists_may_be_null() -> None:
    [component] = read(f"{HEAD}resources:\nsources:\ncomponentReferences:\nlabels:\n").components
    assert (component.resources, component.sources, component.component_references) == ((), (), ())


def test_sources_references_labels_and_times_are_read() -> None:
    [component] = read(
        f"{HEAD}creationTime: '2026-01-01T00:00:00Z'\n"
        "labels: [{name: a, value: {b: [1, null]}, signing: true, version: v1}]\n"
        "sources: [{name: src, type: git, input: {type: utf8, text: x}}]\n"
        "componentReferences:\n- {name: ref, componentName: ocm.test/y, version: 2.0.0}\n"
        "resources:\n- {name: far, type: blob, version: 1.0.0, access: {type: x},"
        f" digest: {{hashAlgorithm: SHA-256, normalisationAlgorithm: x, value: {HEX}}},"
        " srcRefs: [{identitySelector: {name: src}}], options: {ownershipPolicy: Never}}\n"
    ).components
    assert component.creation_time == "2026-01-01T00:00:00Z"
    assert component.labels[0].value == {"b": [1, None]}
    assert component.sources[0].version == "1.0.0"
    assert component.component_references[0].component_name == "ocm.test/y"
    [far] = component.resources
    assert (far.relation, far.input) == ("external", None)
    assert far.digest is not None
    assert far.src_refs[0].identity_selector == {"name": "src"}


@pytest.mark.parametrize("value", ["1", "1.5", "true", "null", "''", "[]", "[1]", "{}", "text"])
def test_a_label_may_have_any_value(value: str) -> None:
    [component] = read(f"{HEAD}labels: [{{name: a, value: {value}}}]").components
    assert component.labels[0].name == "a"


@pytest.mark.parametrize(
    ("member", "element"),
    [
        ("resources", "{name: ab, type: b, input: {type: a}}"),
        ("sources", "{name: ab, type: b, input: {type: a}}"),
        ("componentReferences", "{name: ab, componentName: ocm.test/y, version: 1.0.0}"),
    ],
)
def test_two_elements_with_one_identity_are_refused(member: str, element: str) -> None:
    error = refused(f"{HEAD}{member}:\n- {element}\n- {element}\n")
    assert (
        f"{member}[1] has the same name, version and extraIdentity as {member}[0]" in error.message
    )
    assert error.at == "c.yaml:6:3"


def test_one_component_version_twice_is_refused() -> None:
    one = "- {name: ocm.test/a, version: 1.0.0, provider: {name: p}}\n"
    error = refused(f"components:\n{one}{one}")
    assert "components[1] has the same name and version as components[0]" in error.message
    assert len(read(f"components:\n{one}{one.replace('1.0.0', '2.0.0')}").components) == 2


def text_of(text: str, **variables: str) -> Any:
    found = resource(f"  input: {{type: utf8, text: '{text}'}}", **variables).input
    assert isinstance(found, Utf8Input)
    return found.text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "1"),
        ("x${A}y${A}", "x1y1"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$$$$", "$$"),
        ("$A", "$A"),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("$(id)", "$(id)"),
        ("{{A}}", "{{A}}"),
        ("${A", "${A"),
        ("`id`", "`id`"),
        ("${N.a-me_1}", "2"),
        ("$$${A}", "$1"),
    ],
)
def test_D15_only_names_in_braces_are_replaced(text: str, value: str) -> None:
    assert text_of(text, **{"A": "1", "N.a-me_1": "2"}) == value


def test_D15_what_is_put_in_is_neither_yaml_nor_a_variable() -> None:
    assert text_of("${A}", A="${A}\n- b: {c") == "${A}\n- b: {c"
    [component] = read(HEAD.replace("1.0.0", "${v}"), v="1.10").components
    assert component.version == "1.10"


def test_variables_are_replaced_in_lists_and_never_in_keys() -> None:
    found = resource("  input: {type: other, '${A}': [x, '${A}', 1]}", A="1").input
    assert found is not None
    assert found.to_json() == {"type": "other", "${A}": ["x", "1", 1]}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("verzion", "did you mean ${version}?"),
        ("other", "--set other=VALUE"),
        ("", "$${"),
        ("a b", "$${"),
    ],
)
def test_D15_an_unknown_variable_is_refused_at_its_line(name: str, hint: str) -> None:
    error = refused(f"{RESOURCE}  input:\n    type: utf8\n    text: ${{{name}}}\n", version="1")
    assert error.at == "c.yaml:9:5"
    assert error.hint is not None
    assert hint in error.hint
