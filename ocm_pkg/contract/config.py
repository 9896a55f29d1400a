"""How a plugin is started: the JSON after ``--config``, in both contracts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ocm_pkg.contract.jsontext import member, read_object, write_json
from ocm_pkg.errors import ConfigError, PluginProtocolError

if TYPE_CHECKING:
    from ocm_pkg.contract.jsontext import JSONObject, JSONValue

DEFAULT_IDLE_TIMEOUT_NS = 3600 * 10**9
"""One hour: what a plugin takes if it isn't told."""

MAX_SIZE = 1024 * 1024
"""The largest configuration that is read, in characters."""

_MAX_NS = 2**63 - 1
_WHAT = "the plugin configuration"
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"([0-9]+)(?:\.([0-9]*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")


class PluginConfig(NamedTuple):
    """What the manager tells a plugin at its start.

    ``type`` is ``"socket"`` (a unix domain socket) or ``"tcp"`` (loopback). ``location`` is the
    socket's absolute path or ``HOST:PORT``; without one the plugin chooses. ``idle_timeout_ns`` is
    in nanoseconds and more than 0. ``config_types`` are the configuration objects that the plugin
    asked for.
    """

    id: str
    type: Literal["socket", "tcp"]
    location: str | None = None
    idle_timeout_ns: int = DEFAULT_IDLE_TIMEOUT_NS
    config_types: tuple[dict[str, Any], ...] = ()

    @classmethod
    def parse(cls, text: str) -> PluginConfig:
        """Return the configuration that a manager of either contract wrote.

        Unknown keys are ignored. ``idleTimeout`` may be an integer of nanoseconds or a Go
        duration (``"1h30m"``); missing or null it is one hour.

        Raises:
            PluginProtocolError: no JSON object, no ``id``, or a member of the wrong sort.
            ConfigError: an idle timeout of 0 or less.

        """
        document = read_object(text, what=_WHAT, limit=MAX_SIZE)
        identifier = _text(document, "id")
        if not identifier:
            raise PluginProtocolError("plugin config has no ID")
        return cls(
            id=identifier,
            type=_connection(_text(document, "type")),
            location=_text(document, "location") or None,
            idle_timeout_ns=_idle_timeout(member(document, "idleTimeout", what=_WHAT)),
            config_types=_config_types(member(document, "configTypes", what=_WHAT)),
        )

    def to_json(self, contract: Literal["adr", "v2"]) -> str:
        """Return the argument of ``--config`` for a plugin of that contract.

        Raises:
            ConfigError: the idle timeout is not more than 0: a v2 plugin would end at once.

        """
        result: JSONObject = {"id": self.id}
        if contract == "adr":
            result["type"] = self.type
            if self.location is not None:
                result["location"] = self.location
            result["idleTimeout"] = check_idle_timeout(self.idle_timeout_ns)
        else:
            result["type"] = "unix" if self.type == "socket" else "tcp"
            result["pluginType"] = ""
            result["idleTimeout"] = check_idle_timeout(self.idle_timeout_ns)
            if self.location is not None:
                result["location"] = self.location
        if self.config_types:
            result["configTypes"] = list(self.config_types)
        return write_json(result)


def parse_duration(text: str) -> int:
    """Return a Go duration, such as ``1h30m`` or ``1.5s``, in nanoseconds.

    Raises:
        ConfigError: not a duration, or longer than about 292 years.

    """
    unsigned = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    total, position = 0, 0
    while match := _PART.match(unsigned, position):
        whole, fraction, unit = match[1], match[2] or "", _UNITS[match[3]]
        if len(whole) + len(fraction) > 40:
            break
        total += int(whole) * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        position = match.end()
    if unsigned != "0" and (not unsigned or position < len(unsigned)):
        raise ConfigError(f"{text[:80]!r} is no duration", hint="write it like 90s or 1h30m")
    if total > _MAX_NS:
        raise ConfigError(f"{text[:80]!r} is too long a duration", hint="292 years are the most")
    return -total if text.startswith("-") else total


def check_idle_timeout(nanoseconds: int) -> int:
    """Return an idle timeout that can be sent, or raise ``ConfigError``."""
    if not 0 < nanoseconds <= _MAX_NS:
        raise ConfigError(
            f"the idle timeout of a plugin is {nanoseconds} ns, which isn't more than 0",
            hint="give a duration such as 1h; a plugin cannot be told to wait for ever",
        )
    return nanoseconds


def _idle_timeout(value: JSONValue) -> int:
    if value is None:
        return DEFAULT_IDLE_TIMEOUT_NS
    if isinstance(value, str):
        return check_idle_timeout(parse_duration(value))
    if isinstance(value, bool) or not isinstance(value, int):
        raise PluginProtocolError(
            f"{_WHAT}: idleTimeout is neither an integer of nanoseconds nor a duration"
        )
    return check_idle_timeout(value)


def _connection(text: str) -> Literal["socket", "tcp"]:
    if text in ("socket", "unix"):
        return "socket"
    if text == "tcp":
        return "tcp"
    raise PluginProtocolError(
        f"could not determine location: unknown plugin type: {text[:80]}",
        hint="type is socket (or unix) or tcp",
    )


def _text(document: JSONObject, name: str) -> str:
    value = member(document, name, what=_WHAT)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PluginProtocolError(f"{_WHAT}: {name} is not a text")
    return value


def _config_types(value: JSONValue) -> tuple[dict[str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise PluginProtocolError(f"{_WHAT}: configTypes is not an array of objects")
    return tuple(value)
