"""Runs a plugin through the whole contract and says what it does well and what not."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ocm_pkg.contract.capabilities import Kind
from ocm_pkg.contract.endpoints import endpoint
from ocm_pkg.contract.jsontext import write_json
from ocm_pkg.contract.messages import encode_object, encode_query
from ocm_pkg.errors import InvalidDocumentError, PluginError, PluginProtocolError, escaped
from ocm_pkg.model.jsontext import parse_json
from ocm_pkg.plugin.client import error_text, request_headers
from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.manager import PluginManager
from ocm_pkg.plugin.recording import REDACTED
from ocm_pkg.plugin.text import describe_exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ocm_pkg.contract.jsontext import JSONValue
    from ocm_pkg.plugin.http import Response
    from ocm_pkg.plugin.instance import PluginInstance
    from ocm_pkg.plugin.recording import Exchange
    from ocm_pkg.plugin.registry import ExternalPlugin

Result: TypeAlias = Literal["ok", "warning", "failed", "skipped"]

_COMPONENT = "ocm-pkg.dev/contract-test"
_NO_PATH = "/ocm-pkg-contract-test"
_IDLE = 0.5
_IDLE_PATIENCE = 4.0
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]*>")


@dataclass(slots=True)
class Check:
    """One check: what, its result, what was seen, and how many milliseconds it took.

    A ``warning`` is something that a manager copes with, and that should still be mended.
    """

    check: str
    result: Result = "ok"
    detail: str = ""
    ms: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return ``{"check", "result", "detail", "ms"}``."""
        return {
            "check": self.check,
            "result": self.result,
            "detail": self.detail,
            "ms": round(self.ms, 1),
        }


@dataclass(slots=True)
class _Run:
    checks: list[Check] = field(default_factory=list)

    @contextmanager
    def check(self, name: str) -> Iterator[Check]:
        """Time a check; an error of the plugin makes it fail, and what follows goes on."""
        check = Check(name)
        began = time.perf_counter()
        try:
            yield check
        except PluginError as error:
            check.result = "failed"
            check.detail = " | ".join((error.message, *error.detail))
        finally:
            check.ms = (time.perf_counter() - began) * 1000
            self.checks.append(check)


def run_contract(
    file: Path, *, environment: Mapping[str, str], limits: Limits | None = None
) -> list[Check]:
    """Return the checks of one plugin file, in the order in which they were made.

    ``capabilities``, ``start`` (until it is ready), ``health``, ``unknown path``, one or two
    calls without effect for every kind that it declares, ``shutdown`` (by SIGTERM) and
    ``idle exit``. The plugin is run in private folders, and is gone at the end.
    """
    run = _Run()
    with PluginManager([], environment=environment, limits=limits) as manager:
        with run.check("capabilities") as check:
            plugin = manager.find(str(file.absolute()))
            check.detail = _said(plugin)
            if plugin.capabilities.unknown:
                check.result = "warning"
        if check.result == "failed":
            return run.checks
        instance = manager.instance(str(file.absolute()))
        with run.check("start") as check:
            instance.ensure_running()
        if check.result == "failed":
            return run.checks
        _calls(run, instance)
        with run.check("shutdown") as check:
            _judge_end(check, instance, (limits or Limits()).grace)
    _idle_exit(run, file, environment, limits)
    return run.checks


def replay(
    file: Path,
    exchanges: Sequence[Exchange],
    *,
    environment: Mapping[str, str],
    limits: Limits | None = None,
) -> list[Check]:
    """Send the requests of a recorded session to a plugin; return one check for each.

    Status and JSON must be as recorded; text that the recording replaced (``<TMPDIR>``) may be
    anything. A request that holds such text, or credentials that were left out, is skipped.
    """
    run = _Run()
    with PluginManager([], environment=environment, limits=limits) as manager:
        with run.check("start") as check:
            instance = manager.instance(str(file.absolute()))
            instance.ensure_running()
        if check.result == "failed":
            return run.checks
        for number, exchange in enumerate(exchanges, 1):
            name = f"{number}: {exchange.method} {escaped(exchange.path.partition('?')[0], 100)}"
            with run.check(name) as check:
                _replay_one(check, instance, exchange)
    return run.checks


def _calls(run: _Run, instance: PluginInstance) -> None:
    with run.check("health") as check:
        response = instance.call("GET", "/healthz", idempotent=True)
        if response.status != 200:
            check.result = "warning"
            check.detail = f"/healthz answers {response.status} in place of 200"
    with run.check("unknown path") as check:
        response = instance.call("GET", _NO_PATH, idempotent=True)
        if response.status != 404:
            check.result = "failed"
            check.detail = f"a path that is not there is answered with {response.status}"
    for support in _kinds(instance.plugin):
        for operation, path, body in _safe_calls(support):
            with run.check(f"{support.kind}: {operation}") as check:
                _safe_call(check, instance, support.kind, operation, path, body)


def _kinds(plugin: ExternalPlugin) -> Iterator[_Served]:
    """Yield each kind with the first of its types, from either contract."""
    seen: set[Kind] = set()
    for support in plugin.capabilities.kinds:
        if support.types and support.kind not in seen:
            seen.add(support.kind)
            yield _Served(support.kind, support.types[0].type)
    for name, able in plugin.capabilities.types.items():
        for capability in able:
            if capability.kind is not None and capability.kind not in seen:
                seen.add(capability.kind)
                yield _Served(capability.kind, name)


@dataclass(frozen=True, slots=True)
class _Served:
    kind: Kind
    type: str


def _safe_calls(served: _Served) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """Yield operation, path and body of calls that change nothing, whatever the plugin does."""
    spec = {"type": served.type}
    try:
        identity = endpoint(served.kind, "identity")
    except KeyError:
        pass
    else:
        yield "identity", identity.path, {"type": spec}
    if served.kind is Kind.COMPONENT_VERSION_REPOSITORY:
        query = encode_query({"name": _COMPONENT, "repository": encode_object(spec)})
        yield "versions", f"{endpoint(served.kind, 'versions').path}?{query}", None
    if served.kind is Kind.COMPONENT_LISTER:
        yield "list", endpoint(served.kind, "list").path, {"repository": spec, "last": ""}


def _safe_call(
    check: Check,
    instance: PluginInstance,
    kind: Kind,
    operation: str,
    path: str,
    body: dict[str, Any] | None,
) -> None:
    row = endpoint(kind, operation)
    response = instance.call(
        row.method,
        path,
        body=None if body is None else write_json(body).encode(),
        headers=request_headers(None, identity=operation == "identity"),
        idempotent=row.idempotent,
    )
    if response.status == 200:
        row.read_answer(response.body)
        check.detail = "answers as the contract says"
        return
    # The spec has nothing but its type, so a refusal is a good answer; a missing path is not.
    check.detail = f"status {response.status}: {error_text(response)[:200]}"
    if response.status == 404 and operation == "identity":
        check.result = "warning"
    elif response.status not in range(400, 600):
        raise PluginProtocolError(
            f"{row.path} answers {response.status}: success is 200, an error 400 or above"
        )


def _judge_end(check: Check, instance: PluginInstance, grace: float) -> None:
    began = time.monotonic()
    instance.stop()
    status = instance.wait_for_exit(0.0)
    if status is None:
        check.result, check.detail = "failed", "it is still there"
        return
    check.detail = describe_exit(status)
    if time.monotonic() - began >= grace:
        check.result = "failed"
        check.detail = f"it took no notice of SIGTERM for {grace:g} s and was killed"
    elif status != 0:
        check.result = "warning"


def _idle_exit(
    run: _Run, file: Path, environment: Mapping[str, str], limits: Limits | None
) -> None:
    with (
        PluginManager([], environment=environment, limits=limits, idle_timeout=_IDLE) as manager,
        run.check("idle exit") as check,
    ):
        instance = manager.instance(str(file.absolute()))
        instance.ensure_running()
        status = instance.wait_for_exit(_IDLE + _IDLE_PATIENCE)
        if status is None:
            check.result = "failed"
            check.detail = f"it still runs long after its idle time of {_IDLE:g} s"
        else:
            check.detail = f"{describe_exit(status)} after an idle time of {_IDLE:g} s"
            check.result = "ok" if status == 0 else "warning"


def _replay_one(check: Check, instance: PluginInstance, exchange: Exchange) -> None:
    headers = dict(exchange.headers)
    body = exchange.body
    if REDACTED in headers.values() or _PLACEHOLDER.search(f"{exchange.path}{write_json(body)}"):
        check.result = "skipped"
        check.detail = "the recording left out a part of the request"
        return
    data = body.encode() if isinstance(body, str) else write_json(body).encode()
    response = instance.call(
        exchange.method, exchange.path, body=None if body is None else data, headers=headers
    )
    difference = _difference(exchange, response)
    check.detail = difference or f"status {response.status}"
    check.result = "failed" if difference else "ok"


def _difference(exchange: Exchange, response: Response) -> str | None:
    if response.status != exchange.status:
        text = f": {error_text(response)[:200]}" if response.status != 200 else ""
        return f"status {response.status}{text}; recorded: {exchange.status}"
    if not exchange.has_json:
        return None
    try:
        value = parse_json(response.body, name="the answer")
    except InvalidDocumentError as error:
        return error.message
    where = _unequal(exchange.json, value, "")
    return f"the answer differs from the recorded one at {escaped(where, 200)}" if where else None


def _unequal(recorded: JSONValue, value: JSONValue, where: str) -> str | None:
    """Return where two JSON values differ first; None if they don't."""
    if isinstance(recorded, dict) and isinstance(value, dict):
        return _first(
            _unequal(recorded[name], value[name], f"{where}.{name}")
            if name in recorded and name in value
            else f"{where}.{name}"
            for name in {**recorded, **value}
        )
    if isinstance(recorded, list) and isinstance(value, list):
        if len(recorded) != len(value):
            return f"{where}[{min(len(recorded), len(value))}]"
        pairs = zip(recorded, value, strict=True)
        return _first(_unequal(*pair, f"{where}[{index}]") for index, pair in enumerate(pairs))
    if isinstance(recorded, str) and isinstance(value, str):
        parts = (re.escape(part) for part in _PLACEHOLDER.split(recorded))
        same = re.fullmatch(".*".join(parts), value, re.DOTALL) is not None
    else:
        same = type(recorded) is type(value) and recorded == value
    return None if same else where or "its root"


def _first(found: Iterator[str | None]) -> str | None:
    return next((where for where in found if where), None)


def _said(plugin: ExternalPlugin) -> str:
    able = plugin.capabilities
    types = sorted({*able.types, *(entry.type for kind in able.kinds for entry in kind.types)})
    unknown = f"; unknown, ignored: {', '.join(able.unknown)}" if able.unknown else ""
    return escaped(f"contracts {', '.join(able.contracts)}; types {', '.join(types)}{unknown}", 500)
