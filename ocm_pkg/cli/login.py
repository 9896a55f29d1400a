"""``login`` and ``logout``: the credentials that are kept for a registry."""

from __future__ import annotations

import contextlib
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.errors import (
    AuthenticationError,
    InvalidReferenceError,
    OcmPkgError,
    RegistryError,
    UsageError,
    escaped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.config_credentials import Credentials
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.store.login import LoginFile

_ADDRESS = re.compile(r"(?:(https?)://)?([^/]*)/?", re.IGNORECASE)
_LONGEST_SECRET = 64 * 1024
_HUB = {"docker.io", "index.docker.io"}
_HUB_API = "registry-1.docker.io"


@command()
@click.argument("host")
@click.option("-u", "--username", metavar="USER", help="User name; asked for if it is left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@dry_run_option()
@output_option("text", "json", "yaml")
def login(
    context: Context,
    host: str,
    username: str | None,
    password_stdin: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Log in at the registry HOST[:PORT], and keep the login.

    The registry is asked whether it takes user and password before anything is stored: in Docker's
    configuration ($DOCKER_CONFIG, or ~/.docker), with the helper that it names, or in the file
    that $REGISTRY_AUTH_FILE names. The password is asked for without echo, or read from standard
    input; it is never an argument.
    """
    place = _Place.of(context, host)
    user = _user(context, username, from_stdin=password_stdin)
    password = _from_stdin() if password_stdin else _asked(context, f"Password of {user}: ")
    _check_login(user, password)
    checked = place.check(user, password)
    kept = place.file(dry_run=dry_run).store(place.identity, user, password)
    if kept.helper is None and not dry_run:
        context.out.step("it is not encrypted there; a helper (credsStore) would do that")
    if not checked:
        context.out.warn(f"{place.name} asks nobody for a login, so this one was not checked")
    value = {
        "registry": place.name,
        "username": user,
        "checked": checked,
        "stored": not dry_run,
        "path": str(kept.path),
        "helper": kept.helper,
    }
    where = escaped(str(kept))
    done = f"would be stored in {where}" if dry_run else f"stored in {where}"
    context.out.data(
        value, output, text=f"logged in to {place.name} as {escaped(user, 200)}; {done}"
    )


@command()
@click.argument("host")
@dry_run_option()
@output_option("text", "json", "yaml")
def logout(
    context: Context,
    host: str,
    dry_run: bool,
    output: str,
) -> None:
    """Forget the login of the registry HOST[:PORT]."""
    place = _Place.of(context, host)
    kept = place.file(dry_run=dry_run).remove(place.identity)
    value = {
        "registry": place.name,
        "removed": kept is not None and not dry_run,
        "path": None if kept is None else str(kept.path),
        "helper": None if kept is None else kept.helper,
    }
    if kept is None:
        text = f"no login of {place.name} is stored"
    else:
        done = "would be removed" if dry_run else "is removed"
        text = f"the login of {place.name} {done} from {escaped(str(kept))}"
    context.out.data(value, output, text=text)
    if not dry_run and _others(context, place.identity):
        context.out.warn(
            f"there are other credentials for {place.name}, in the OCM configuration or in"
            " another file of Docker's or Podman's"
        )


@dataclass(frozen=True)
class _Place:
    """A registry to log in to: what users call it, its URL, and who needs the secret there."""

    context: Context
    name: str
    base_url: str
    identity: Identity

    @classmethod
    def of(cls, context: Context, host: str) -> _Place:
        if not context.has_registries:
            raise UsageError(
                "this program is made without the client of OCI registries",
                hint="log in with another one, such as docker or podman: its login is used here",
            )
        from ocm_pkg.store.origin import Origin
        from ocm_pkg.store.registries import consumer_identity

        match = _ADDRESS.fullmatch(host)
        scheme, name = match.groups() if match else (None, "")
        scheme = scheme or ("http" if context.settings.plain_http else "https")
        is_hub = name.lower() in _HUB
        try:
            origin = Origin.of(f"{scheme}://{_HUB_API if is_hub else name}")
        except RegistryError:
            # Neither shown nor chained then: there may be a password in it.
            what = "that" if "@" in host else repr(escaped(host, 200))
            raise InvalidReferenceError(
                f"{what} is no address of a registry",
                hint="write HOST or HOST:PORT: a login is for the whole registry",
            ) from None
        identity = dict(consumer_identity(str(origin)))
        return cls(context, "docker.io" if is_hub else origin.name, str(origin), identity)

    def check(self, user: str, password: str) -> bool:
        """Ask the registry whether it takes a login; false if it does not ask for one.

        Raises ``AuthenticationError`` if it does not.
        """
        from ocm_pkg.store.registries import Registries

        given = _Given(user, password)
        context = self.context
        with (
            self._explained(user),
            Registries(
                http=context.config.http if context.config_files else None,
                environ=context.environ,
                home=context.known_home,
                credentials=given,
                offline=context.offline,
            ) as registries,
        ):
            registries.client(self.base_url).call("GET", "/v2/").close()
        return given.asked

    @contextlib.contextmanager
    def _explained(self, user: str) -> Iterator[None]:
        """Say something else of a refused login than to log in."""
        from ocm_pkg.store.origin import Origin
        from ocm_pkg.store.tokens import refused_login_hint

        try:
            yield
        except AuthenticationError as error:
            if error.hint == refused_login_hint(Origin.of(self.base_url)):
                error.hint = (
                    f"check the user name ({escaped(user, 200)}) and the password; many registries"
                    " want an access token in its place"
                )
            raise

    def file(self, *, dry_run: bool) -> LoginFile:
        """Return the file of logins."""
        from ocm_pkg.store.login import LoginFile

        context = self.context
        return LoginFile(
            environ=context.environ, folder=context.cwd, home=context.known_home, dry_run=dry_run
        )


class _Given:
    """Finds one login, whoever asks, and notes that somebody did."""

    def __init__(self, user: str, password: str) -> None:
        self._properties = {"username": user, "password": password}
        self.asked = False

    def find(self, _identity: Identity, /) -> Credentials | None:
        from ocm_pkg.model.config_credentials import Credentials

        self.asked = True
        return Credentials(self._properties)


def _user(context: Context, given: str | None, *, from_stdin: bool) -> str:
    if given is not None:
        return given
    if from_stdin or context.settings.no_input or not sys.stdin.isatty():
        raise UsageError("no user name is given", hint="add --username USER")
    return str(click.prompt("User name", err=True))


def _asked(context: Context, prompt: str) -> str:
    import getpass

    if context.settings.no_input or not sys.stdin.isatty():
        raise UsageError(
            "no password is given, and there is nobody to ask",
            hint="give it by --password-stdin: ocm-pkg login HOST -u USER --password-stdin < FILE",
        )
    try:
        return getpass.getpass(prompt)
    except EOFError as error:
        raise UsageError("no password was typed") from error


def _from_stdin() -> str:
    data = sys.stdin.buffer.read(_LONGEST_SECRET + 1)
    if len(data) > _LONGEST_SECRET:
        raise UsageError(f"the password is longer than {_LONGEST_SECRET} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # Not chained: the cause has the password.
        text = "\0"
    return text.removesuffix("\n").removesuffix("\r")


def _check_login(user: str, password: str) -> None:
    if not user or ":" in user or not user.isprintable():
        raise UsageError("a user name is printable text without a colon", hint="check --username")
    if not password:
        raise UsageError("the password is empty", hint="type it, or give it by --password-stdin")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in password):
        raise UsageError(
            "the password is more than one line, or no text", hint="give one line of UTF-8"
        )


def _others(context: Context, identity: Identity) -> bool:
    """Whether there still are credentials; what is wrong with other files is not asked here."""
    with contextlib.suppress(OcmPkgError):
        return context.credentials.find(identity) is not None
    return False
