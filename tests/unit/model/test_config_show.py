from __future__ import annotations

from ocm_pkg.model.config import parse_entries
from ocm_pkg.model.config_show import holds_secrets, lines, shown

TEXT = """\
type: generic.config.ocm.software/v1
configurations:
- type: credentials.config.ocm.software
  consumers:
  - identity: {type: OCIRegistry, hostname: ghcr.io}
    credentials:
    - type: Credentials/v1
      properties: {username: u, password: hunter2, private_key_pem_file: key.pem}
    - {type: OCICredentials/v1, accessToken: hunter2}
  - {identity: {type: RSA/v1alpha1}, credentials: hunter2, note: hunter2}
  - hunter2
  repositories:
  - repository: {type: DockerConfig/v1, dockerConfigFile: ~/d.json, propagate: true}
  - repository: {type: DockerConfig/v1, dockerConfig: {auths: {a: {auth: hunter2}}}}
  - repository: {type: DockerConfig/v1, dockerConfig: '{"auths": "hunter2"}'}
  - repository: {type: Vault/v1, url: "https://u:hunter2@vault", token: hunter2}
- type: resolvers.config.ocm.software
  resolvers:
  - repository: {type: OCI, baseUrl: "https://u:hunter2@ghcr.io", password: hunter2}
    componentNamePattern: "a.b/*"
- type: http.config.ocm.software
  timeout: 20s
  insecureSkipVerify: false
  token: hunter2
  hosts: {}
- type: plugin.config.ocm.software
  locations: [a, b]
- type: somebody.else/v1
  password: hunter2
- type: versioncheck.cli.config.ocm.software
"""
ENTRIES = parse_entries(TEXT.encode(), name="c.yaml")


def test_no_secret_is_shown_whatever_the_shape() -> None:
    for entry in ENTRIES:
        assert "hunter2" not in f"{shown(entry)} {list(lines(entry))}"


def test_what_is_no_secret_is_shown() -> None:
    first = shown(ENTRIES[0])
    assert first["consumers"][0] == {
        "identity": {"type": "OCIRegistry", "hostname": "ghcr.io"},
        "credentials": [
            {
                "type": "Credentials/v1",
                "properties": {
                    "username": "u",
                    "password": "***",
                    "private_key_pem_file": "key.pem",
                },
            },
            {"type": "OCICredentials/v1", "accessToken": "***"},
        ],
    }
    assert first["repositories"][0] == {
        "repository": {
            "type": "DockerConfig/v1",
            "dockerConfigFile": "~/d.json",
            "propagate": True,
        }
    }
    assert shown(ENTRIES[1])["resolvers"][0]["repository"]["baseUrl"] == "https://***@ghcr.io"


def test_another_tool_s_entry_is_named_and_not_shown() -> None:
    assert shown(ENTRIES[4]) is None
    assert [(one.type, one.what, one.says) for one in lines(ENTRIES[4])] == [
        ("somebody.else/v1", "not used by ocm-pkg", "")
    ]


def test_each_consumer_and_resolver_is_a_line_with_its_origin() -> None:
    found = list(lines(ENTRIES[0]))
    assert [(one.what, one.file, one.line) for one in found] == [
        ("consumer", "c.yaml", 5),
        ("consumer", "c.yaml", 10),
        ("consumer", "c.yaml", 11),
        ("credentials", "c.yaml", 13),
        ("credentials", "c.yaml", 14),
        ("credentials", "c.yaml", 15),
        ("not used by ocm-pkg", "c.yaml", 16),
    ]
    assert found[0].says == (
        "type=OCIRegistry hostname=ghcr.io type=Credentials/v1 username=u password=*** "
        "private_key_pem_file=key.pem type=OCICredentials/v1 accessToken=***"
    )
    [http] = lines(ENTRIES[2])
    assert http.says == "timeout=20s insecureSkipVerify=false token=***"
    assert [one.says for one in lines(ENTRIES[3])] == ["locations=a,b"]
    assert [one.what for one in lines(ENTRIES[5])] == ["settings"]


def test_a_file_holds_secrets_if_it_has_one_itself() -> None:
    assert holds_secrets(ENTRIES)
    assert not holds_secrets(ENTRIES[1:])
    only_files = TEXT.partition("  - {identity")[0].replace("password: hunter2, ", "")
    only_files = only_files.replace("    - {type: OCICredentials/v1, accessToken: hunter2}\n", "")
    assert not holds_secrets(parse_entries(only_files.encode(), name="c"))
    entry = "{type: credentials.config.ocm.software, consumers: x}"
    broken = f"{{type: generic.config.ocm.software, configurations: [{entry}]}}"
    assert holds_secrets(parse_entries(broken.encode(), name="c"))
