"""Which commands there are, where their code is, what each is for: a table, nothing imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: ``attribute`` of ``module`` is a click command."""

    module: str
    attribute: str
    help: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Commands under one word."""

    help: str
    commands: Mapping[str, Entry] = field(default_factory=dict)


_BUILD = "ocm_pkg.cli.build"
_MERGE = "ocm_pkg.cli.merge"
_TEST = "ocm_pkg.cli.contract_test"
_COMPONENT = "ocm_pkg.cli.component"
_SIGNATURE = "ocm_pkg.cli.signature"
_VERIFICATION = "ocm_pkg.cli.verification"
_PLUGIN = "ocm_pkg.cli.plugin"
_LOGIN = "ocm_pkg.cli.login"
_CACHE = "ocm_pkg.cli.cache"
_CV = ("component-version", "component-versions", "componentversion", "componentversions", "cvs")

_INSTALL = Entry(_PLUGIN, "install", "install a verified plugin")
_LIST = Entry(_PLUGIN, "list_plugins", "list the plugins of this machine")
_REMOVE = Entry(_PLUGIN, "remove", "remove an installed plugin")

COMMANDS: Mapping[str, Entry | Group] = {
    "init": Entry("ocm_pkg.cli.init", "init", "start a plugin that works"),
    "check": Entry(_BUILD, "check", "check project file, sources and dist"),
    "build": Entry(_BUILD, "build", "build the binaries of this project"),
    "test": Entry(_TEST, "test", "run a binary through the plugin contract"),
    "merge": Entry(_MERGE, "merge", "join what several machines built"),
    "package": Entry(
        "ocm_pkg.cli.package", "package", "make a component version of what was built"
    ),
    "publish": Entry(
        "ocm_pkg.cli.publish", "publish", "copy a component version to where others get it"
    ),
    "release": Entry(
        "ocm_pkg.cli.release", "release", "check, build, test, package, sign, publish"
    ),
    "rebuild": Entry(
        "ocm_pkg.cli.rebuild", "rebuild", "build a published version again, and compare"
    ),
    "add": Group(
        "add component versions",
        {
            "cv": Entry(
                "ocm_pkg.cli.adding", "add_cv", "make component versions from a constructor", _CV
            )
        },
    ),
    "attach": Group(
        "attach files to component versions",
        {
            "cv": Entry(
                "ocm_pkg.cli.attaching", "attach_cv", "store a file beside a component version", _CV
            )
        },
    ),
    "get": Group(
        "get component versions or plugins",
        {
            "cv": Entry(_COMPONENT, "get_cv", "print component versions", _CV),
            "plugins": Entry(_PLUGIN, "list_plugins", "list the plugins of this machine"),
        },
    ),
    "describe": Group(
        "describe component versions",
        {"cv": Entry(_COMPONENT, "describe_cv", "describe a component version for people", _CV)},
    ),
    "hash": Group(
        "hash component versions",
        {"cv": Entry(_SIGNATURE, "hash_cv", "print the digest that a signature covers", _CV)},
    ),
    "key": Group(
        "make and show signing keys",
        {
            "new": Entry(_SIGNATURE, "key_new", "make a key pair"),
            "list": Entry(_SIGNATURE, "key_list", "list your keys"),
            "export": Entry(_SIGNATURE, "key_export", "print a public key"),
        },
    ),
    "sign": Group(
        "sign component versions",
        {"cv": Entry(_SIGNATURE, "sign_cv", "sign a component version", _CV)},
    ),
    "verify": Group(
        "verify component versions",
        {"cv": Entry(_VERIFICATION, "verify_cv", "verify signatures and content", _CV)},
    ),
    "download": Group(
        "download resources or plugins",
        {
            "resource": Entry(
                _COMPONENT,
                "download_resource",
                "write a verified resource to a file",
                ("resources",),
            ),
            "plugin": Entry(_PLUGIN, "install", "install a verified plugin (see plugin install)"),
        },
    ),
    "transfer": Group(
        "copy component versions",
        {"cv": Entry(_COMPONENT, "transfer_cv", "copy from one repository to another", _CV)},
    ),
    "serve": Entry("ocm_pkg.cli.serve", "serve", "serve a CTF as an OCI registry"),
    "plugin": Group(
        "install and use plugins",
        {
            "install": _INSTALL,
            "list": _LIST,
            "info": Entry(_PLUGIN, "info", "show one installed plugin"),
            "remove": _REMOVE,
            "capabilities": Entry(_PLUGIN, "capabilities", "ask a plugin what it can do"),
            "call": Entry(_PLUGIN, "call", "send one request to a plugin"),
        },
    ),
    "login": Entry(_LOGIN, "login", "log in to an OCI registry"),
    "logout": Entry(_LOGIN, "logout", "forget the login to an OCI registry"),
    "cache": Group(
        "what was fetched from registries",
        {
            "dir": Entry(_CACHE, "cache_dir", "print the folder of the cache"),
            "prune": Entry(_CACHE, "cache_prune", "shrink or empty the cache"),
        },
    ),
    "config": Group(
        "the OCM configuration",
        {"show": Entry("ocm_pkg.cli.config", "show", "show what is configured, and where")},
    ),
    "install": _INSTALL,
    "list": _LIST,
    "remove": _REMOVE,
    "version": Entry("ocm_pkg.cli.version", "version", "print the version of this program"),
}
