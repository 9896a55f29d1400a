"""What every document model shares: frozen, camelCase on the wire, positions in its errors."""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

JSONValue: TypeAlias = "bool | int | float | str | list[JSONValue] | dict[str, JSONValue] | None"
JSONObject: TypeAlias = "dict[str, JSONValue]"


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
