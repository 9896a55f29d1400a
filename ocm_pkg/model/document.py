"""What every document model shares: frozen, camelCase on the wire, positions in its errors."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from ocm_pkg._typing import override
from ocm_pkg.errors import InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from pydantic_core import ErrorDetails

    from ocm_pkg.model.yamltext import YamlDocument

JSONValue: TypeAlias = "bool | int | float | str | list[JSONValue] | dict[str, JSONValue] | None"
JSONObject: TypeAlias = "dict[str, JSONValue]"

_MAX_SHOWN = 5


class Document(BaseModel):
    """A document that others write too: unknown members are kept as they came.

    ``to_json`` gives back what was read, member for member, with what was set since.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,
        strict=True,
    )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data with the wire names; members never set are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class OwnDocument(Document):
    """A document of our own: unknown members are refused."""

    model_config = ConfigDict(extra="forbid")


D = TypeVar("D", bound=Document)


def read_document(
    model: type[D],
    value: JSONValue,
    *,
    source: YamlDocument | None = None,
    what: str,
    inside: Sequence[str | int] = (),
) -> D:
    """Return ``value`` as a ``model``, or raise ``InvalidDocumentError``.

    The error names the member (``resources[1].access.type``) and says what is wrong with it, and
    for an unknown one which known name is near. ``what`` is what it calls the document. With
    ``source`` it also says file, line and column and shows the line. ``inside`` is where in the
    document ``value`` stands, if it is not the whole of it.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = _without_repeats(error.errors())
        errors.sort(key=lambda details: details["type"] != "extra_forbidden")
        problems = [_Problem(details, model, inside) for details in errors]
        raise _as_error(problems, source, what) from error


def show_path(path: Iterable[str | int]) -> str:
    """Return a path as people write it: ``resources[1].access.type``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{_shown(part)}"
    return text.removeprefix(".")


def near_miss(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that ``name`` was probably meant to be, if one is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def unknown_key(name: str, known: Sequence[str]) -> tuple[str, str]:
    """Return message and hint for a key that is not among the ``known``."""
    guess = near_miss(name, known)
    hint = f"did you mean {guess!r}?" if guess else f"known: {', '.join(sorted(known))}"
    return f"the key {_shown(name)!r} is unknown", hint


def refuse_twice(
    keys: Sequence[Hashable],
    shared: str,
    *,
    source: YamlDocument | None,
    what: str,
    inside: Sequence[str | int],
) -> None:
    """Raise ``InvalidDocumentError`` if two items of the list at ``inside`` have the same key.

    ``shared`` says what they share (``the same name``), the rest is as in ``read_document``.
    """
    first: dict[Hashable, int] = {}
    for index, key in enumerate(keys):
        earlier = first.setdefault(key, index)
        if earlier == index:
            continue
        one, other = show_path((*inside, index)), show_path((*inside, earlier))
        message, hint = f"{what}: {one} has {shared} as {other}", "give each its own"
        if source is not None:
            raise source.error((*inside, index), message, hint)
        raise InvalidDocumentError(message, hint=hint)


class _Problem:
    """One thing that is wrong with a document, in plain words."""

    def __init__(
        self, details: ErrorDetails, model: type[BaseModel], inside: Sequence[str | int]
    ) -> None:
        self.path = (*inside, *details["loc"])
        self.hint: str | None = None
        kind, value = details["type"], details["input"]
        if kind == "missing":
            self.message, self.hint = "is missing", f"add {_shown(str(self.path[-1]))}"
        elif kind == "extra_forbidden":
            known = _names(_model_at(model, details["loc"][:-1]))
            self.message, self.hint = (
                "is not a known key",
                unknown_key(str(self.path[-1]), known)[1],
            )
        elif kind in _EXPECTED:
            self.message = f"must be {_EXPECTED[kind]}, but it is {_describe(value)}"
            self.hint = _quoting_hint(kind, value, self.path) or f"write {_EXPECTED[kind]} there"
        elif kind == "literal_error":
            expected = details.get("ctx", {}).get("expected", "")
            self.message = f"must be {expected}, but it is {_describe(value)}"
            self.hint = f"write {expected}"
        elif kind == "string_too_short":
            self.message, self.hint = "must not be empty", "write at least one character"
        elif kind == "string_too_long":
            most = details.get("ctx", {}).get("max_length", 0)
            self.message, self.hint = f"has more than {most} characters", "write a shorter one"
        elif kind == "value_error":
            error = details["ctx"]["error"]
            self.message, self.hint = str(error), getattr(error, "hint", None)
        else:
            text = details["msg"]
            self.message = f"is wrong: {text[:1].lower()}{text[1:]}"

    @override
    def __str__(self) -> str:
        path = show_path(self.path)
        return f"{path} {self.message}" if path else f"the document {self.message}"


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
}


def _as_error(
    problems: Sequence[_Problem], source: YamlDocument | None, what: str
) -> InvalidDocumentError:
    first, *others = problems
    more = [f"also: {problem}" for problem in others[: _MAX_SHOWN - 1]]
    if len(others) >= _MAX_SHOWN:
        more.append(f"and {len(others) - _MAX_SHOWN + 1} more")
    error = InvalidDocumentError(f"{what}: {first}", hint=first.hint, at=None, detail=more)
    if source is None:
        return error
    placed = source.error(first.path, error.message, first.hint)
    placed.detail = (*placed.detail, *more)
    return placed


def _without_repeats(errors: Iterable[ErrorDetails]) -> list[ErrorDetails]:
    """Return one error per path, the first: a union reports each of its choices."""
    return list({error["loc"]: error for error in reversed(list(errors))}.values())[::-1]


def _describe(value: object) -> str:
    if isinstance(value, bool):
        return f"{str(value).lower()}, a truth value"
    if isinstance(value, int | float):
        return f"the number {str(value)[:40]}"
    if isinstance(value, str):
        return f"the text {_shown(value)!r}"
    if isinstance(value, dict):
        return "a mapping"
    return "empty" if value is None else "a list"


def _quoting_hint(kind: str, value: object, path: Sequence[str | int]) -> str | None:
    if kind != "string_type" or not isinstance(value, bool | int | float):
        return None
    key = next((part for part in reversed(path) if isinstance(part, str)), "value")
    return f'put it in quotes to keep it as it is written: {_shown(key)}: "..."'


def _names(model: type[BaseModel] | None) -> list[str]:
    fields = model.model_fields if model else {}
    return [field.alias or name for name, field in fields.items()]


def _model_at(model: type[BaseModel] | None, path: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model of the mapping at ``path``, as far as the annotations tell."""
    is_key_of_mapping = False
    for part in path:
        if isinstance(part, int) or model is None:
            continue
        if is_key_of_mapping:
            is_key_of_mapping = False
            continue
        fields = model.model_fields.items()
        annotation = {field.alias or name: field.annotation for name, field in fields}.get(part)
        model, is_key_of_mapping = _model_in(annotation), get_origin(annotation) is dict
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401
    """Return the one model that an annotation such as ``tuple[X, ...] | None`` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _shown(text: str) -> str:
    """Return text cut and with control characters escaped, fit for a message."""
    return text[:80].encode("unicode_escape").decode() if not text.isprintable() else text[:80]
