from __future__ import annotations

import json
import re
import shlex
import shutil
import stat
import textwrap
from pathlib import Path

import pytest

from tests.fakes.command import Command

VECTORS = Path(__file__).parents[1] / "vectors"
KEYS = VECTORS / "keys"
COMPONENT = "ocm.test/open/plugins/demo"
REF = f"{COMPONENT}:1.0.0"
HEAD = "type: generic.config.ocm.software/v1\nconfigurations:\n"
RESOLVER = (
    "- type: resolvers.config.ocm.software/v1alpha1\n"
    "  resolvers:\n"
    "  - repository: {type: CommonTransportFormat/v1, filePath: store}\n"
    '    componentNamePattern: "ocm.test/**"\n'
)


class World:
    """A home without configuration, and a folder with an unsigned component version in a CTF."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.work = folder / "work"
        self.work.mkdir()
        self.command = Command(self.home)
        shutil.copytree(VECTORS / "tampered/signature-removed/ctf", self.work / "store")
        for path in [self.work / "store", *(self.work / "store").rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)

    def write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + text)
        path.chmod(0o600)
        return path

    def configure(self, text: str) -> None:
        self.write(self.home / ".ocmconfig", text)

    def run(self, *arguments: object, code: int = 0):
        ran = self.command(*arguments, cwd=self.work)
        assert ran.code == code, ran.err + ran.out
        return ran


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def consumer(algorithm: str, signature: str = "default", **properties: object) -> str:
    identity = {"type": "RSA/v1alpha1", "algorithm": algorithm, "signature": signature}
    credentials = {
        "type": "Credentials/v1",
        "properties": {k: str(v) for k, v in properties.items()},
    }
    entry = {"identity": identity, "credentials": [credentials]}
    return f"- {{type: credentials.config.ocm.software, consumers: [{json.dumps(entry)}]}}\n"


def test_files_are_merged_in_the_reference_s_order(world) -> None:
    places = [
        world.home / "named",
        world.home / "xdg/ocm/config",
        world.home / "xdg/.ocmconfig",
        world.home / ".config/ocm/config",
        world.home / ".config/.ocmconfig",
        world.home / ".ocm/config",
        world.home / ".ocmconfig",
        world.work / ".ocm/config",
        world.work / ".ocmconfig",
    ]
    for number, path in enumerate(places):
        world.write(path, f"- {{type: http.config.ocm.software, timeout: {number}s}}\n")
    world.command.environ |= {
        "OCM_CONFIG": str(places[0]),
        "XDG_CONFIG_HOME": str(world.home / "xdg"),
    }
    found = world.run("config", "show", "-o", "json", "--origin").json
    assert found["files"] == [str(path) for path in places]
    assert [entry["value"]["timeout"] for entry in found["entries"]] == [
        f"{number}s" for number in range(len(places))
    ]
    assert found["entries"][3]["origin"] == {"file": str(places[3]), "line": 3}


def test_files_that_are_named_replace_the_search_and_add_up(world) -> None:
    world.configure("- {type: home.test}\n")
    world.write(world.work / "a.yaml", "- {type: a.test}\n")
    world.write(world.work / "b.yaml", "- {type: b.test}\n")
    shown = world.run(
        "--config", "a.yaml", "config", "show", "--config", "b.yaml", "-o", "json"
    ).json
    assert [entry["type"] for entry in shown["entries"]] == ["a.test", "b.test"]
    missing = world.run("config", "show", "--config", "none.yaml", code=3)
    assert "none.yaml does not exist" in missing.err


def test_show_names_what_is_not_used_and_hides_what_is_secret(world) -> None:
    world.configure(
        "- type: credentials.config.ocm.software\n"
        "  consumers:\n"
        "  - identity: {type: OCIRegistry, hostname: ghcr.io}\n"
        "    credentials: [{type: Credentials/v1, properties: {username: u, password: hunter2}}]\n"
        "- {type: uploader.ocm.config.ocm.software/v1, key: hunter2}\n"
    )
    for form in ("table", "json", "yaml"):
        ran = world.run("config", "show", "--origin", "-o", form, "-v", "--loglevel", "debug")
        assert "hunter2" not in ran.out + ran.err
        assert "***" in ran.out
    lines = world.run("config", "show", "--origin").out.splitlines()
    assert lines[0].split() == ["ORIGIN", "TYPE", "WHAT", "SAYS"]
    assert lines[1].startswith(f"{world.home / '.ocmconfig'}:5 ")
    assert "username=u password=***" in lines[1]
    assert lines[2].split(maxsplit=1)[1].startswith("uploader.ocm.config.ocm.software/v1")
    assert lines[2].endswith("not used by ocm-pkg")


def test_without_any_file_show_says_so(world) -> None:
    ran = world.run("config", "show")
    assert (ran.out, "no configuration file" in ran.err) == ("", True)
    assert world.run("config", "show", "-o", "json").json == {"files": [], "entries": []}


def test_a_wrong_file_is_named_with_line_and_column_and_stays_secret(world) -> None:
    world.configure(
        "- type: credentials.config.ocm.software\n"
        "  consumers:\n"
        "  - identity: {type: OCIRegistry, port: 5000}\n"
        "    credentials: hunter2\n"
    )
    ran = world.run("get", "cv", REF, "-v", code=2)
    assert "error[E210]" in ran.err
    assert f"at:  {world.home / '.ocmconfig'}:" in ran.err
    world.configure('- password: "hunter2\n')
    broken = world.run("get", "cv", REF, "-v", code=2)
    assert "hunter2" not in ran.err + broken.err + ran.out + broken.out


def test_a_command_that_needs_no_configuration_reads_none(world) -> None:
    world.configure("- password: *x\n")
    world.run("version")
    world.run("key", "list")


def test_R39_a_file_with_secrets_that_others_can_read_is_a_warning(world) -> None:
    world.configure(consumer("RSASSA-PSS", private_key_pem_file="key.pem"))
    (world.home / ".ocmconfig").chmod(0o644)
    assert "warning" not in world.run("config", "show").err
    world.configure(consumer("RSASSA-PSS", private_key_pem="hunter2"))
    assert "warning" not in world.run("config", "show").err
    (world.home / ".ocmconfig").chmod(0o644)
    ran = world.run("config", "show")
    assert "is open to other users (mode 0644)" in ran.err
    assert "hunter2" not in ran.out + ran.err


def test_a_resolver_finds_what_a_reference_leaves_out(world) -> None:
    world.run("get", "cv", REF, code=3)
    world.configure(RESOLVER)
    assert world.run("get", "cv", COMPONENT, "-o", "json").json[0]["component"]["name"] == COMPONENT
    world.run("describe", "cv", REF)
    copied = world.run("transfer", "cv", COMPONENT, "copy", "-o", "json").json
    assert copied["component"] == COMPONENT


def test_a_resolver_is_bound_to_its_versions(world) -> None:
    world.configure(RESOLVER + '    versionConstraint: ">=2"\n')
    ran = world.run("get", "cv", COMPONENT, code=3)
    assert f"store has no version of {COMPONENT}" in ran.err
    world.configure(RESOLVER + '    versionConstraint: ">=1 <2"\n')
    world.run("get", "cv", COMPONENT)


def test_old_resolvers_and_aliases_are_read(world) -> None:
    world.configure(
        "- type: ocm.config.ocm.software\n"
        "  aliases: {mine: {type: CTF, filePath: store}}\n"
        "  resolvers:\n"
        "  - {repository: {type: CTF, filePath: nowhere}, prefix: ocm.test, priority: 20}\n"
        "  - {repository: {type: CTF, filePath: store}, prefix: ocm.test/open}\n"
    )
    world.run("get", "cv", REF)
    world.run("get", "cv", COMPONENT)
    world.run("get", "cv", f"mine//{REF}")


def test_signing_and_verifying_take_their_keys_from_the_configuration(world) -> None:
    shutil.copy(KEYS / "test-key-a.private.pem", world.work / "a.pem")
    (world.work / "a.pem").chmod(0o600)
    files = {
        "private_key_pem_file": "a.pem",
        "public_key_pem_file": KEYS / "test-key-a.public.pem",
    }
    world.configure(RESOLVER + consumer("RSASSA-PSS", **files))
    signed = world.run("sign", "cv", REF, "-o", "json").json
    assert signed["algorithm"] == "RSASSA-PSS"
    verified = world.run("verify", "cv", REF, "-o", "json").json
    assert verified["signatures"][0]["fingerprint"] == signed["fingerprint"]
    # The same key, but for another signature: nobody is trusted for this one.
    world.configure(RESOLVER + consumer("RSASSA-PSS", "other", **files))
    assert "error[E402]" in world.run("verify", "cv", REF, code=4).err
    # Another key for this signature.
    other = {"public_key_pem": (KEYS / "test-key-b.public.pem").read_text()}
    world.configure(RESOLVER + consumer("RSASSA-PSS", **other))
    world.run("verify", "cv", REF, code=4)
    world.run("verify", "cv", REF, "--key", KEYS / "test-key-a.public.pem")


def test_the_signing_configuration_of_a_signature_is_its_default(world) -> None:
    inline = {"private_key_pem": (KEYS / "test-leaf.private.pem").read_text()}
    chain = {"public_key_pem_file": KEYS / "test-leaf.chain-with-root.pem"}
    settings = (
        "- type: signing.config.ocm.software/v1alpha1\n"
        "  signature: default\n"
        "  signer: {type: RSASigningConfiguration/v1alpha1, signatureAlgorithm: RSASSA-PSS,"
        " signatureEncodingPolicy: PEM}\n"
    )
    both = consumer("RSASSA-PSS", **inline, **chain) + consumer("RSASSA-PKCS1-V1_5", **inline)
    world.configure(RESOLVER + settings + both)
    signed = world.run("sign", "cv", REF, "-o", "json").json
    assert (signed["algorithm"], signed["mediaType"]) == ("RSASSA-PSS", "application/x-pem-file")
    assert world.run("verify", "cv", REF, "-o", "json").json["result"] == "ok"
    flags = ("--algorithm", "RSASSA-PKCS1-V1_5", "--encoding", "plain", "--force")
    again = world.run("sign", "cv", REF, *flags, "-o", "json").json
    assert again["mediaType"] == "application/vnd.ocm.signature.rsa"
    world.configure(RESOLVER + settings + consumer("RSASSA-PSS", **inline))
    ran = world.run("sign", "cv", REF, "--force", code=2)
    assert "carries certificates, and none were given" in ran.err
    world.configure(RESOLVER + settings.replace("RSASigning", "SigstoreSigning") + both)
    assert "can't be made here" in world.run("sign", "cv", REF, "--force", code=2).err


def test_a_transfer_is_as_deep_as_configured_and_flags_win(world) -> None:
    (world.work / "c.yaml").write_text(
        "components:\n"
        "- {name: a.test/child, version: 1.0.0, provider: {name: a}}\n"
        "- name: a.test/parent\n"
        "  version: 1.0.0\n"
        "  provider: {name: a}\n"
        "  componentReferences: [{name: child, componentName: a.test/child, version: 1.0.0}]\n"
    )
    world.run("add", "cv", "-c", "c.yaml")
    world.configure("- {type: transfer.config.ocm.software/v1alpha1, recursive: -1}\n")
    world.run("transfer", "cv", "a.test/parent", "deep")
    world.run("get", "cv", "deep//a.test/child")
    world.run("transfer", "cv", "a.test/parent", "flat", "--no-recursive")
    world.run("get", "cv", "flat//a.test/child", code=3)


def test_inputs_are_in_the_configured_working_directory(world) -> None:
    (world.work / "inputs").mkdir()
    (world.work / "inputs/hello").write_text("hello")
    (world.work / "c.yaml").write_text(
        "name: a.test/hello\n"
        "version: 1.0.0\n"
        "provider: {name: a}\n"
        "resources: [{name: hello, type: blob, input: {type: file, path: hello}}]\n"
    )
    world.run("add", "cv", "-c", "c.yaml", code=3)
    world.configure("- {type: filesystem.config.ocm.software, workingDirectory: inputs}\n")
    world.run("add", "cv", "-c", "c.yaml")


def test_plugins_are_where_the_option_the_variable_or_the_configuration_says(world) -> None:
    for name in ("option", "variable", "configured", "more"):
        program = world.work / name / f"in-{name}"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)

    def found(*arguments: str) -> list[str]:
        listed = world.run("plugin", "list", "--all", "-o", "json", *arguments).json
        return [one["name"] for one in listed if not one["builtin"]]

    world.configure("- {type: plugin.config.ocm.software, locations: [configured, more]}\n")
    assert sorted(found()) == ["in-configured", "in-more"]
    world.command.environ["OCM_PLUGIN_DIRECTORY"] = "variable"
    assert found() == ["in-variable"]
    assert found("--plugin-directory", "option") == ["in-option"]


def test_programs_that_a_file_of_the_working_folder_names_are_a_warning(world) -> None:
    text = "- {type: plugin.config.ocm.software, locations: [here]}\n"
    world.write(world.work / ".ocmconfig", text)
    assert "says where plugins are run from" in world.run("plugin", "list", "--all").err
    named = world.run("plugin", "list", "--all", "--config", ".ocmconfig")
    assert "warning" not in named.err


@pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gpg")
def test_openpgp_keys_come_from_the_configuration(world) -> None:
    secret = world.work / "secret.asc"
    shutil.copy(KEYS / "test-gpg.secret.asc", secret)
    secret.chmod(0o600)
    entry = {
        "identity": {"type": "GPG/v1alpha1", "signature": "pgp"},
        "credentials": [
            {
                "type": "GPGCredentials/v1alpha1",
                "privateKeyPGPFile": "secret.asc",
                "publicKeyPGPFile": str(KEYS / "test-gpg.public.asc"),
            }
        ],
    }
    world.configure(
        RESOLVER
        + f"- {{type: credentials.config.ocm.software, consumers: [{json.dumps(entry)}]}}\n"
        + "- type: signing.config.ocm.software/v1alpha1\n"
        + "  signature: pgp\n"
        + "  signer: {type: GPGSigningConfiguration/v1alpha1}\n"
    )
    signed = world.run("sign", "cv", REF, "--signature", "pgp", "-o", "json").json
    assert signed["algorithm"] == "GPG"
    assert world.run("verify", "cv", REF, "-o", "json").json["result"] == "ok"


def test_what_the_document_shows_works(world) -> None:
    document = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
    blocks = [
        textwrap.dedent(block) for block in re.findall(r"(?:^ {4}.*\n)+", document, re.MULTILINE)
    ]
    whole, keys, sigstore = (block for block in blocks if "- type: credentials" in block)
    (world.home / ".ocmconfig").write_text(whole + keys + sigstore)
    (world.home / ".ocmconfig").chmod(0o600)
    (world.work / "c.yaml").write_text(
        "{name: example.com/plugins/hello, version: 1.2.0, provider: {name: example.com}}\n"
    )
    world.run("add", "cv", "-c", "c.yaml")
    world.run("key", "new", "release", "--out", world.home / "keys")
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("ocm-pkg")]
    assert len(lines) == 6
    for line in lines:
        ran = world.run(*shlex.split(line, comments=True)[1:])
        assert "warning" not in ran.err
