"""The inputs of a component constructor: where the content of an element comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import Field, model_validator

from ocm_pkg.model import yamltext
from ocm_pkg.model.document import Document, OwnDocument, read_document
from ocm_pkg.model.naming import NonEmpty

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.model.yamltext import YamlDocument

_FORMS = {
    "text": "text",
    "json_value": "json",
    "formatted_json": "formattedJson",
    "yaml_value": "yaml",
}
_MEDIA_TYPES = {
    "text": "text/plain",
    "json": "application/json",
    "formattedJson": "application/json",
    "yaml": "application/x-yaml",
}


class FileInput(OwnDocument):
    """Content from a file; ``path`` is relative to the constructor."""

    type: str
    path: NonEmpty
    media_type: str | None = None
    compress: bool = False


class DirInput(OwnDocument):
    """Content from a folder, as a tar; ``path`` is relative to the constructor.

    The patterns match paths relative to the folder. Symbolic links that stay in the folder are
    kept; with ``follow_symlinks`` what they lead to, inside the working folder, stands for them.
    """

    type: str
    path: NonEmpty
    media_type: str | None = None
    compress: bool = False
    preserve_dir: bool = False
    include_files: list[str] = Field(default_factory=list)
    exclude_files: list[str] = Field(default_factory=list)
    reproducible: bool = False
    follow_symlinks: bool = False


class Utf8Input(OwnDocument):
    """Content that stands in the constructor itself, in exactly one of four forms."""

    type: str
    text: str | None = None
    json_value: Any = Field(default=None, alias="json")
    formatted_json: Any = None
    yaml_value: Any = Field(default=None, alias="yaml")
    media_type: str | None = None
    compress: bool = False

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [wire for name, wire in _FORMS.items() if name in self.model_fields_set]
        if len(given) != 1 or (given == ["text"] and self.text is None):
            shown = " and ".join(given) if len(given) > 1 else "none"
            raise ValueError(
                f"must have exactly one of {', '.join(_FORMS.values())}, but it has {shown}"
            )
        return self

    @property
    def form(self) -> str:
        """Which form the content has: ``text``, ``json``, ``formattedJson`` or ``yaml``."""
        return next(wire for name, wire in _FORMS.items() if name in self.model_fields_set)

    @property
    def default_media_type(self) -> str:
        """The media type of the content if ``media_type`` names none."""
        return _MEDIA_TYPES[self.form]

    def data(self) -> bytes:
        """Return the content, in UTF-8; keys of JSON and YAML are sorted, as the references do."""
        match self.form:
            case "text":
                text = self.text or ""
            case "json":
                text = json.dumps(
                    self.json_value, sort_keys=True, separators=(",", ":"), ensure_ascii=False
                )
            case "formattedJson":
                text = json.dumps(self.formatted_json, sort_keys=True, indent=2, ensure_ascii=False)
            case _:
                text = yamltext.dump(json.loads(json.dumps(self.yaml_value, sort_keys=True)))
        return text.encode()


class OtherInput(Document):
    """An input of a type that is not built in: all members kept, for a plugin."""

    type: NonEmpty


InputSpec: TypeAlias = FileInput | DirInput | Utf8Input | OtherInput

_BUILT_IN: dict[str, type[FileInput | DirInput | Utf8Input]] = {
    "file": FileInput,
    "dir": DirInput,
    "utf8": Utf8Input,
}


def read_input(
    value: JSONValue, *, source: YamlDocument | None, what: str, inside: Sequence[str | int]
) -> InputSpec:
    """Return an input; errors as in ``read_document``.

    Built-in types may begin with a capital and end with ``/v1``, as in the reference tools.
    """
    model: type[InputSpec] = OtherInput
    if isinstance(value, dict) and isinstance(name := value.get("type"), str):
        kind = name.removesuffix("/v1")
        model = _BUILT_IN.get(kind[:1].lower() + kind[1:], OtherInput)
        if kind.lower() == "utf8":
            model = Utf8Input
    return read_document(model, value, source=source, what=what, inside=inside)
