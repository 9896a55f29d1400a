"""Component constructors: component versions to be made, with where their content comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field

from ocm_pkg.model import yamltext
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import (
    SAME_ELEMENT,
    DigestSpec,
    Element,
    Label,
    Reference,
    SourceReference,
)
from ocm_pkg.model.document import OwnDocument, read_document, refuse_twice, show_path
from ocm_pkg.model.inputs import DirInput, FileInput, InputSpec, OtherInput, Utf8Input, read_input
from ocm_pkg.model.naming import ComponentName, NoneAsList, NonEmpty, Time, VersionText
from ocm_pkg.model.variables import substituted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.errors import InvalidDocumentError
    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.model.jsontext import Limits
    from ocm_pkg.model.yamltext import YamlDocument

__all__ = [
    "Constructor",
    "ConstructorComponent",
    "ConstructorLabel",
    "ConstructorReference",
    "ConstructorResource",
    "ConstructorSource",
    "DirInput",
    "FileInput",
    "InputSpec",
    "OtherInput",
    "Provider",
    "Utf8Input",
    "dump_constructor",
    "parse_constructor",
]

Path: TypeAlias = "tuple[str | int, ...]"

_FORBID = ConfigDict(extra="forbid")


class ConstructorLabel(Label):
    """A label; any JSON value is allowed, unknown keys are not."""

    model_config = _FORBID


Labels: TypeAlias = Annotated[tuple[ConstructorLabel, ...], NoneAsList]


class ConstructorSourceReference(SourceReference):
    """Which source of the same component version a resource is made from."""

    model_config = _FORBID

    labels: Labels = ()


class Options(OwnDocument):
    """Options of an element; the one choice that is offered is the default of the reference."""

    ownership_policy: Literal["Never"] = "Never"


class ConstructorResource(Element):
    """A resource to make: exactly one of ``input`` and ``access`` is there.

    A missing version was taken from the component, a missing relation is ``local`` for an input
    and ``external`` for an access.
    """

    model_config = _FORBID

    type: NonEmpty
    relation: Literal["local", "external"]
    labels: Labels = ()
    src_refs: Annotated[tuple[ConstructorSourceReference, ...], NoneAsList] = ()
    input: InputSpec | None = None
    access: AccessSpec | None = None
    digest: DigestSpec | None = None
    options: Options | None = None


class ConstructorSource(Element):
    """A source to make: exactly one of ``input`` and ``access`` is there."""

    model_config = _FORBID

    type: NonEmpty
    labels: Labels = ()
    input: InputSpec | None = None
    access: AccessSpec | None = None
    options: Options | None = None


class ConstructorReference(Reference):
    """Another component version that is to belong to this one."""

    model_config = _FORBID

    labels: Labels = ()


class Provider(OwnDocument):
    """Who provides the component."""

    name: NonEmpty
    labels: Labels = ()


class ConstructorComponent(OwnDocument):
    """One component version to make."""

    name: ComponentName
    version: VersionText
    provider: Provider
    labels: Labels = ()
    creation_time: Time | None = None
    resources: Annotated[tuple[ConstructorResource, ...], NoneAsList] = ()
    sources: Annotated[tuple[ConstructorSource, ...], NoneAsList] = ()
    component_references: Annotated[tuple[ConstructorReference, ...], NoneAsList] = ()


class Constructor(OwnDocument):
    """The component versions of one constructor file, in its order."""

    components: Annotated[tuple[ConstructorComponent, ...], NoneAsList, Field(min_length=1)]


def parse_constructor(
    data: bytes, *, name: str, variables: Mapping[str, str], limits: Limits | None = None
) -> Constructor:
    """Read a ``component-constructor.yaml``; ``name`` is what errors call it.

    Either one component is the document, or ``components`` is a list of them. ``${NAME}`` in text
    values is replaced from ``variables`` (see ``variables.substituted``), and
    ``variables["version"]`` is the version of a component that has none. Whatever is wrong is an
    ``InvalidDocumentError`` with file, line and column.
    """
    document = yamltext.load(data, name=name, limits=limits)
    value = substituted(document, variables)
    version = variables.get("version")
    if not isinstance(value, dict) or "components" not in value:
        filled = _filled(value, document, (), version)
        component = read_document(ConstructorComponent, filled, source=document, what=name)
        _check_component(component, document, ())
        return Constructor(components=(component,))
    components = value["components"]
    if isinstance(components, list):
        components = [
            _filled(component, document, ("components", index), version)
            for index, component in enumerate(components)
        ]
    value = {**value, "components": components}
    constructor = read_document(Constructor, value, source=document, what=name)
    for index, component in enumerate(constructor.components):
        _check_component(component, document, ("components", index))
    keys = [(component.name, component.version) for component in constructor.components]
    refuse_twice(
        keys, "the same name and version", source=document, what=name, inside=("components",)
    )
    return constructor


def dump_constructor(constructor: Constructor) -> str:
    """Return a constructor as YAML, in the form with a list."""
    return yamltext.dump(constructor.to_json())


def _filled(
    component: JSONValue, document: YamlDocument, path: Path, version: str | None
) -> JSONValue:
    """Return a component with what was left out; anything wrong stays, to be refused later."""
    if not isinstance(component, dict):
        return component
    if component.get("version") is None:
        if version is None:
            raise document.error(
                path,
                f"{document.name}: {show_path(path) or 'the component'} has no version",
                "give it with --set version=0.0.1, or add the line version: 0.0.1",
            )
        component = {**component, "version": version}
    filled: dict[str, Any] = dict(component)
    for member in ("resources", "sources"):
        elements = component.get(member)
        if isinstance(elements, list):
            filled[member] = [
                _filled_element(element, document, (*path, member, index), component["version"])
                for index, element in enumerate(elements)
            ]
    return filled


def _filled_element(
    element: JSONValue, document: YamlDocument, path: Path, version: JSONValue
) -> JSONValue:
    """Return an element with version and relation, and with its input read by the input's type."""
    if not isinstance(element, dict):
        return element
    filled: dict[str, Any] = dict(element)
    has_input = "input" in element
    if "resources" in path:
        filled.setdefault("relation", "local" if has_input else "external")
    if has_input or "access" not in element:
        filled.setdefault("version", version)
    if has_input:
        inside = (*path, "input")
        filled["input"] = read_input(
            element["input"], source=document, what=document.name, inside=inside
        )
    return filled


def _check_component(component: ConstructorComponent, document: YamlDocument, path: Path) -> None:
    """Refuse what the schema of one element alone can't tell."""
    elements: dict[str, Sequence[ConstructorResource | ConstructorSource]] = {
        "resources": component.resources,
        "sources": component.sources,
    }
    for member, several in elements.items():
        for index, element in enumerate(several):
            _check_content(element, document, (*path, member, index))
    for member, identified in {
        **elements,
        "componentReferences": component.component_references,
    }.items():
        keys = [element.key for element in identified]
        refuse_twice(
            keys, SAME_ELEMENT, source=document, what=document.name, inside=(*path, member)
        )


def _check_content(
    element: ConstructorResource | ConstructorSource, document: YamlDocument, path: Path
) -> None:
    def refuse(at: Path, problem: str, hint: str) -> InvalidDocumentError:
        return document.error(at, f"{document.name}: {show_path(path)} {problem}", hint)

    if element.input is None and element.access is None:
        hint = "say with one of them where the content comes from"
        raise refuse(path, "has neither input nor access", hint)
    if element.input is None:
        return
    if element.access is not None:
        raise refuse((*path, "access"), "has both input and access", "keep one of them")
    if isinstance(element, ConstructorSource):
        return
    if element.relation != "local":
        problem = "has an input, so its relation can only be local"
        raise refuse((*path, "relation"), problem, "remove relation")
    if element.digest is not None:
        problem = "has an input, whose digest is computed; only an access can be pinned"
        raise refuse((*path, "digest"), problem, "remove digest")
