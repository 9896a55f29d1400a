from __future__ import annotations

import pytest

from ocm_pkg.errors import ConfigError
from ocm_pkg.model.config import Configuration, Kind, parse_entries
from ocm_pkg.model.config_settings import RSA_SIGNING

INLINE = "dockerConfig: 7"
RSA = {"type": "RSA/v1alpha1", "algorithm": "RSASSA-PSS", "signature": "default"}
HEAD = "type: generic.config.ocm.software/v1\nconfigurations:\n"


def configured(*files: str) -> Configuration:
    entries = []
    for number, text in enumerate(files):
        entries += parse_entries((HEAD + text).encode(), name=f"file{number}")
    return Configuration.of(entries)


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        Configuration.of(parse_entries(text.encode(), name="c.yaml"))
    assert caught.value.detail == ()
    return caught.value


def test_an_empty_file_configures_nothing() -> None:
    assert parse_entries(b"", name="c") == ()
    assert parse_entries(b"type: generic.config.ocm.software\n", name="c") == ()
    nothing = Configuration.of([])
    assert nothing == Configuration()
    assert nothing.consumer(RSA) is None
    assert nothing.signing_for("default") is None
    assert nothing.resolvers_for("ocm.test/a", None) == ()


def test_every_known_type_is_understood_and_others_are_kept_by_name() -> None:
    types = [f"{kind}" for kind in Kind]
    types += ["credentials.config.ocm.software/v1", "plugin.config.ocm.software/v2alpha1"]
    others = ["uploader.ocm.config.ocm.software/v1", "http.config.ocm.software/v9", "x"]
    found = configured("".join(f"- type: {name}\n" for name in types + others)).entries
    assert [entry.type for entry in found] == types + others
    assert all(entry.kind is not None for entry in found[: len(types)])
    assert [entry.kind for entry in found[len(types) :]] == [None, None, None]


def test_an_entry_of_another_tool_is_never_an_error_whatever_is_in_it() -> None:
    assert configured("- {type: http.config.ocm.software/v9, timeout: [soon]}\n").entries


def test_entries_inside_an_entry_stand_in_its_place() -> None:
    found = configured(
        "- type: generic.config.ocm.software\n  configurations: [{type: a}, {type: b}]\n- type: c\n"
    )
    assert [entry.type for entry in found.entries] == ["a", "b", "c"]
    assert found.entries[1].node.position == (4, 31)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("type: plugin.config.ocm.software\n", "is no generic.config.ocm.software/v1", 1),
        ("configurations: []\n", "has no type", 1),
        ("- a\n", "must be a mapping, but it is a list", 1),
        (HEAD + "- timeout: 1s\n", "configurations[0] has no type", 3),
        (HEAD + "- http\n", "configurations[0] must be a mapping, but it is text", 3),
        ("type: generic.config.ocm.software\nconfigurations: {}\n", "must be a list", 2),
    ],
)
def test_what_is_no_configuration_is_refused_with_its_place(text, message, line) -> None:
    error = refused(text)
    assert message in error.message
    assert str(error.at).startswith(f"c.yaml:{line}:")
    assert error.code == "E210"


def test_entries_may_not_be_inside_each_other_for_ever() -> None:
    text = "{type: generic.config.ocm.software, configurations: [" * 12 + "]}" * 12
    assert "inside too many" in refused(text).message


# credentials


CONSUMERS = """
- type: credentials.config.ocm.software
  consumers:
  - identity: {type: OCIRegistry, hostname: ghcr.io}
    credentials:
    - type: Credentials/v1
      properties: {username: u, password: old}
    - type: OCICredentials/v1
      password: hunter2
  - identities:
    - {type: RSA/v1alpha1, algorithm: RSASSA-PSS, signature: default}
    - {type: RSA/v1alpha1, algorithm: RSASSA-PKCS1-V1_5, signature: default}
    credentials:
    - {type: RSACredentials/v1, privateKeyPEMFile: key.pem, publicKeyPEMFile: pub.pem}
  - identity: {type: GPG/v1alpha1, signature: default}
    credentials:
    - {type: GPGCredentials/v1alpha1, privateKeyPGPFile: key.asc, passphrase: hunter2}
  - identity: {type: SigstoreSigner/v1alpha1}
    credentials:
    - {type: OIDCIdentityToken/v1alpha1, token: hunter2}
"""


def test_direct_and_typed_credentials_are_read_as_properties_and_later_ones_win() -> None:
    found = configured(CONSUMERS)
    registry = found.consumer({"type": "OCIRegistry", "hostname": "ghcr.io", "scheme": "https"})
    assert registry.credentials.properties == {"username": "u", "password": "hunter2"}
    for algorithm in ("RSASSA-PSS", "RSASSA-PKCS1-V1_5"):
        key = found.consumer({**RSA, "algorithm": algorithm})
        assert key.credentials.properties == {
            "private_key_pem_file": "key.pem",
            "public_key_pem_file": "pub.pem",
        }
    gpg = found.consumer({"type": "GPG/v1alpha1", "signature": "default"})
    assert gpg.credentials.properties == {"privateKeyPGPFile": "key.asc", "passphrase": "hunter2"}


def test_plugins_get_properties_and_other_typed_forms_as_they_came() -> None:
    found = configured(CONSUMERS)
    registry = found.consumer({"type": "OCIRegistry", "hostname": "ghcr.io"})
    assert registry.credentials.to_json() == {
        "type": "Credentials/v1",
        "properties": {"username": "u", "password": "hunter2"},
    }
    sigstore = found.consumer({"type": "SigstoreSigner/v1alpha1"})
    assert sigstore.credentials.to_json() == {
        "type": "OIDCIdentityToken/v1alpha1",
        "token": "hunter2",
    }


def test_no_repr_holds_a_secret() -> None:
    found = configured(CONSUMERS)
    assert "hunter2" not in f"{found!r} {found.consumers!r} {found.entries!r}"


def test_a_later_file_wins() -> None:
    text = (
        "- type: credentials.config.ocm.software\n"
        "  consumers:\n"
        "  - identity: {type: OCIRegistry, hostname: ghcr.io}\n"
        "    credentials: [{type: Credentials, properties: {username: USER}}]\n"
    )
    found = configured(text.replace("USER", "first"), text.replace("USER", "second"))
    consumer = found.consumer({"type": "OCIRegistry", "hostname": "ghcr.io"})
    assert consumer.credentials.properties == {"username": "second"}
    assert consumer.node.file == "file1"


@pytest.mark.parametrize(
    ("consumer", "message", "hint"),
    [
        ("identity: {type: A, port: 5000}", "identity.port must be text", 'port: "..."'),
        ("identity: {hostname: a}", "has no type", "add type"),
        ("credentials: []", "has no identity", "add identity"),
        ("identity: {type: A}\n    credentials: hunter2", "must be a list", "a list"),
        ("identity: {type: A}\n    credentials: [{properties: {}}]", "has no type", "type"),
        (
            "identity: {type: A}\n    credentials: [{type: Credentials, properties: {p: 12345}}]",
            "properties.p must be text, but it is a number",
            'p: "..."',
        ),
        (
            "identity: {type: A}\n    credentials: [{type: Credentials, properties: hunter2}]",
            "must be a mapping",
            "mapping",
        ),
    ],
)
def test_wrong_credentials_are_refused_without_being_shown(consumer, message, hint) -> None:
    error = refused(
        f"{HEAD}- type: credentials.config.ocm.software\n  consumers:\n  - {consumer}\n"
    )
    assert message in error.message
    assert hint in str(error.hint)
    assert "hunter2" not in f"{error.message} {error.hint}"
    assert "12345" not in error.message


@pytest.mark.parametrize(
    "line",
    ["p: *hunter2", "p: !hunter2 x", 'p: "hunter2', "p: hunter2: x", "hunter2", "p: \t@hunter2"],
)
def test_text_that_is_no_yaml_is_refused_without_being_shown(line) -> None:
    error = refused(f"{HEAD}- type: a\n  {line}\n")
    causes = [repr(one) for one in (error, error.__cause__, error.__context__)]
    assert "hunter2" not in f"{error.message} {error.hint} {causes}"
    assert str(error.at).startswith("c.yaml:")


def test_a_key_that_stands_twice_is_named() -> None:
    assert "'type' stands twice, in line 1 and in line 2" in refused("type: a\ntype: b\n").message


def test_repositories_of_secrets_are_docker_s_or_named() -> None:
    found = configured(
        "- type: credentials.config.ocm.software\n"
        "  repositories:\n"
        "  - repository: {type: DockerConfig/v1, dockerConfigFile: ~/d.json}\n"
        "  - repository: {type: DockerConfig, dockerConfig: {auths: {}}, propagateX: true}\n"
        "  - repository: {type: HashiCorpVault/v1alpha1, token: t}\n"
    ).secret_repositories
    assert [one.is_docker for one in found] == [True, True, False]
    assert (found[0].file, found[1].inline) == ("~/d.json", {"auths": {}})


# resolvers


RESOLVERS = """
- type: resolvers.config.ocm.software/v1alpha1
  resolvers:
  - repository: {type: OCIRepository/v1, baseUrl: "http://127.0.0.1:5000", subPath: base}
    componentNamePattern: "ocm.test/*"
    versionConstraint: ">=1.0.0 <2.0.0"
  - repository: {type: CTF, filePath: ./new}
    componentNamePattern: "ocm.test/**"
  - repository: {type: CTF, filePath: ./rest}
"""
OLD = """
- type: ocm.config.ocm.software
  aliases:
    mine: {type: OCIRegistry, baseUrl: ghcr.io, subPath: mine}
  resolvers:
  - {repository: {type: ctf, filePath: ./low}, prefix: ocm.test, priority: 1}
  - {repository: {type: ctf, filePath: ./short}, prefix: ocm.test}
  - {repository: {type: ctf, filePath: ./long}, prefix: ocm.test/a/}
  - {repository: {type: ctf, filePath: ./all}}
"""


def chosen(found: Configuration, component: str, version: str | None = None) -> list[str]:
    return [rule.repository.location for rule in found.resolvers_for(component, version)]


def test_the_first_resolver_that_matches_is_the_only_one() -> None:
    found = configured(RESOLVERS)
    assert chosen(found, "ocm.test/a", "1.2.0") == ["http://127.0.0.1:5000/base"]
    assert chosen(found, "ocm.test/a", "2.0.0") == ["./new"]
    assert chosen(found, "ocm.test/a/b", "1.2.0") == ["./new"]
    assert chosen(found, "example.com/x", "1.0.0") == ["./rest"]


def test_without_a_version_one_that_is_bound_to_versions_does_not_end_the_search() -> None:
    found = configured(RESOLVERS)
    assert chosen(found, "ocm.test/a") == ["http://127.0.0.1:5000/base", "./new"]
    assert found.resolvers_for("ocm.test/a", None)[0].versions.contains("1.5.0")


def test_old_resolvers_are_all_tried_by_priority_and_length_of_the_prefix() -> None:
    found = configured(OLD)
    assert chosen(found, "ocm.test/a/x", "1.0.0") == ["./long", "./short", "./all", "./low"]
    assert chosen(found, "ocm.test/a", "1.0.0") == ["./long", "./short", "./all", "./low"]
    assert chosen(found, "ocm.test/ab", "1.0.0") == ["./short", "./all", "./low"]
    assert str(found.aliases["mine"]) == "ghcr.io/mine"


def test_new_resolvers_come_before_old_ones() -> None:
    assert chosen(configured(OLD, RESOLVERS), "example.com/x", "1.0.0") == ["./rest"]


@pytest.mark.parametrize(
    ("resolver", "message"),
    [
        ("{}", "repository has no type"),
        ("{repository: {type: OCIRepository/v1}}", "is no repository: a repository needs baseUrl"),
        ('{repository: {type: CTF, filePath: x}, versionConstraint: "new"}', "version range"),
        ('{repository: {type: CTF, filePath: x}, componentNamePattern: "a["}', "not a pattern"),
        (
            '{repository: {type: OCI, baseUrl: "https://u:hunter2@h"}}',
            "must not contain a user or password",
        ),
    ],
)
def test_a_wrong_resolver_is_refused_with_its_place(resolver, message) -> None:
    error = refused(f"{HEAD}- type: resolvers.config.ocm.software\n  resolvers: [{resolver}]\n")
    assert message in error.message
    assert "hunter2" not in error.message
    assert str(error.at).startswith("c.yaml:4:")


def test_an_old_prefix_is_no_pattern() -> None:
    text = f"{HEAD}- type: ocm.config.ocm.software\n  resolvers: [{{prefix: 'a*'}}]\n"
    assert "is no prefix" in refused(text).message


# the other types


def test_signing_settings_of_a_name_win_over_general_ones() -> None:
    found = configured(
        "- type: signing.config.ocm.software/v1alpha1\n"
        "  signature: release\n"
        "  signer: {type: RSASigningConfiguration/v1alpha1, signatureAlgorithm: RSASSA-PSS,"
        " signatureEncodingPolicy: PEM}\n"
        "- type: signing.config.ocm.software/v1alpha1\n"
        "  signer: {type: GPGSigningConfiguration/v1alpha1}\n"
        "  verifier: {type: GPGSigningConfiguration/v1alpha1}\n"
    )
    release, other = found.signing_for("release"), found.signing_for("x")
    assert (release.algorithm, release.encoding, release.is_rsa) == ("RSASSA-PSS", "pem", True)
    assert (other.signer, other.is_rsa) == ("GPGSigningConfiguration/v1alpha1", False)


def test_an_unknown_encoding_policy_is_the_default_one() -> None:
    found = configured(
        "- type: signing.config.ocm.software\n"
        "  signer: {type: RSASigningConfiguration, signatureEncodingPolicy: Fancy}\n"
    )
    assert found.signing_for("x").encoding == "plain"


def test_plugin_folders_of_later_entries_come_first() -> None:
    one = "- {type: plugin.config.ocm.software/v2alpha1, idleTimeout: 1h30m, locations: [a, b]}\n"
    two = "- {type: plugin.config.ocm.software, locations: [c, a]}\n"
    found = configured(one, two).plugins
    assert found.locations == ("c", "a", "b")
    assert found.idle_timeout == 5400 * 10**9


def test_catalogs_are_named_once() -> None:
    text = "- {type: plugin.registry.config.ocm.software, registries: [a//b.c/d, e//b.c/d]}\n"
    assert configured(text, text).registries == ("a//b.c/d", "e//b.c/d")


def test_http_settings_of_a_host_win_and_hosts_of_all_files_are_kept() -> None:
    found = configured(
        "- type: http.config.ocm.software/v1alpha1\n"
        "  timeout: 20s\n"
        "  retry: {maxRetries: 3, minWait: 100ms, maxWait: 1.5s}\n"
        '  hosts: {"a:443": {timeout: 1m, insecureSkipVerify: true}}\n',
        '- {type: http.config.ocm.software, tcpDialTimeout: 5000, hosts: {"b:80": {timeout: 2s}}}',
    ).http
    assert (found.timeout, found.dial_timeout, found.max_retries) == (20 * 10**9, 5000, 3)
    assert (found.min_wait, found.max_wait) == (10**8, 15 * 10**8)
    special = found.for_host("a:443")
    assert (special.timeout, special.insecure_skip_verify) == (60 * 10**9, True)
    assert (special.dial_timeout, special.max_retries) == (5000, 3)
    assert found.for_host("b:80").timeout == 2 * 10**9
    assert found.for_host("c:80") is found
    assert configured('- {type: http.config.ocm.software, timeout: "0"}\n').http.timeout == 0


def test_file_system_and_transfer_settings_merge() -> None:
    found = configured(
        "- {type: filesystem.config.ocm.software/v1alpha1, tempFolder: /t, workingDirectory: w}\n"
        "- {type: transfer.config.ocm.software, recursive: -1, copyMode: allResources}\n",
        "- {type: filesystem.config.ocm.software, workingDirectory: v}\n"
        "- {type: transfer.config.ocm.software, recursive: 0, uploadType: ociArtifact}\n",
    )
    assert (found.filesystem.temp_folder, found.filesystem.working_directory) == ("/t", "v")
    transfer = found.transfer
    assert (transfer.recursive, transfer.copy_all) == (False, True)
    assert transfer.upload_type == "ociArtifact"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("http.config.ocm.software, timeout: soon", "timeout is no duration"),
        ("http.config.ocm.software, timeout: -5", "timeout is no duration"),
        ("http.config.ocm.software, timeout: 1.5", "must be a duration, but it is a number"),
        ("http.config.ocm.software, insecureSkipVerify: 'no'", "must be true or false"),
        ("http.config.ocm.software, retry: [1]", "retry must be a mapping, but it is a list"),
        ("http.config.ocm.software, timeout: true", "must be a duration, but it is a truth value"),
        ("plugin.config.ocm.software, locations: [null]", "must be text, but it is empty"),
        ("signing.config.ocm.software, signature: {a: b}", "must be text, but it is a mapping"),
        (
            f"{Kind.CREDENTIALS}, repositories: [{{repository: {{type: DockerConfig, {INLINE}}}}}]",
            "dockerConfig must be the text or the members",
        ),
        ("http.config.ocm.software, retry: {maxRetries: many}", "must be a whole number"),
        ("http.config.ocm.software, retry: {maxRetries: -1}", "must not be less than 0"),
        ("plugin.config.ocm.software, idleTimeout: 0", "must be more than 0"),
        ("plugin.config.ocm.software, locations: [1]", "locations[0] must be text"),
        ("transfer.config.ocm.software, recursive: 2", "must be 0 (none) or -1 (all)"),
        ("transfer.config.ocm.software, copyMode: some", "copyMode is not known"),
        ("signing.config.ocm.software, signer: {}", "signer has no type"),
        (
            f"{Kind.SIGNING}, signer: {{type: {RSA_SIGNING}, signatureAlgorithm: ROT13}}",
            "signatureAlgorithm is not known",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_and_place(entry, message) -> None:
    error = refused(f"{HEAD}- {{type: {entry}}}\n")
    assert message in error.message
    assert str(error.at).startswith("c.yaml:3:")
