"""``ocm-pkg serve``: an OCI registry over a CTF, until it is told to end."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.options import command, output_option
from ocm_pkg.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.store.base import OCIStore

_FILE = click.Path(path_type=Path)


@command()
@click.argument("ctf")
@click.option(
    "--listen",
    default="127.0.0.1:5000",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to listen; port 0 is any that is free. Other machines reach it only by an address"
    " that is not loopback.",
)
@click.option("--writable", is_flag=True, help="Take what clients push; a missing CTF is made.")
@click.option("--htpasswd", type=_FILE, help="Users and bcrypt passwords (htpasswd -B).")
@click.option("--tls-cert", type=_FILE, help="Serve TLS with this certificate chain (PEM).")
@click.option("--tls-key", type=_FILE, help="The certificate's key (PEM).")
@output_option("text", "json")
def serve(
    context: Context,
    ctf: str,
    listen: str,
    writable: bool,
    htpasswd: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    output: str,
) -> None:
    """Serve the CTF as an OCI registry, until Ctrl-C or SIGTERM.

    Component versions are in it as the OCM tools write them to any registry; other artifacts can
    be pushed and pulled as well. A tar or tgz is read-only.
    """
    from ocm_pkg.store.serving import Server
    from ocm_pkg.store.serving.listening import parse_address

    if context.offline:
        raise UsageError(
            "serve is for the network, and --offline is set", hint="leave out --offline"
        )
    address = parse_address(listen)
    if (tls_cert is None) != (tls_key is None):
        raise UsageError(
            "--tls-cert and --tls-key belong together", hint="give both files, or none"
        )
    tls = (context.cwd / tls_cert, context.cwd / tls_key) if tls_cert and tls_key else None
    server = Server(
        _store(context, ctf, writable=writable),
        listen=address,
        writable=writable,
        htpasswd=context.cwd / htpasswd if htpasswd is not None else None,
        tls=tls,
        log=context.out.warn,
    )
    with _told_to_end() as ended, server:
        _warn(context, server.address[0], tls=tls is not None, users=htpasswd is not None)
        value = {"url": server.url, "writable": writable}
        line = "ndjson" if output == "json" else output
        context.out.data(value, line, text=f"serving {ctf} on {server.url}")
        context.out.raw(b"")
        # A signal just before a wait does not end it, so none is for ever.
        while not ended.wait(1.0):
            pass


def _store(context: Context, ctf: str, *, writable: bool) -> OCIStore:
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.store.archive import ArchiveStore
    from ocm_pkg.store.repository import ComponentRepository

    spec = RepositorySpec.parse(ctf)
    if spec.kind != "ctf":
        raise UsageError(f"{ctf} is no CTF", hint="name the folder or archive of a CTF: ./ctf")
    repository = context.repository(spec, create=writable)
    assert isinstance(repository, ComponentRepository)  # noqa: S101 - every CTF is one
    if isinstance(repository.store, ArchiveStore) and writable:
        raise ConflictError(
            f"{ctf} is an archive, which is served read-only",
            hint="leave --writable out, or copy it to a CTF that is a folder",
        )
    return repository.store


def _warn(context: Context, host: str, *, tls: bool, users: bool) -> None:
    from ocm_pkg.store.serving.listening import is_loopback

    missing = [] if tls else ["TLS (--tls-cert, --tls-key)"]
    missing += [] if users else ["passwords (--htpasswd)"]
    if missing and not is_loopback(host):
        context.out.warn(f"other machines can reach {host}, without {' and '.join(missing)}")


@contextmanager
def _told_to_end() -> Iterator[Event]:
    """Give an event that SIGINT, SIGTERM and SIGHUP set, instead of what they did before."""
    ended = Event()
    if current_thread() is not main_thread():
        yield ended
        return

    def end(_number: int, _frame: object) -> None:
        ended.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield ended
    finally:
        for number, former in before.items():
            signal.signal(number, former)
