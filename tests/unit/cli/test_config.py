from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from ocm_pkg.cli.main import run

VECTORS = Path(__file__).parents[2] / "vectors"
KEYS = VECTORS / "keys"
COMPONENT = "ocm.test/open/plugins/demo"
HEAD = "type: generic.config.ocm.software/v1\nconfigurations:\n"
STORE = "{repository: {type: CTF, filePath: store}"
RESOLVER = f"- {{type: resolvers.config.ocm.software, resolvers: [{STORE}}}]}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder that is home too, with an unsigned component version in a CTF."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CONFIG_HOME", "OCM_CONFIG", "DOCKER_CONFIG", "OCM_PLUGIN_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("ocm_pkg.cli.main._end_on_signals", lambda: None)
    shutil.copytree(VECTORS / "tampered/signature-removed/ctf", tmp_path / "store")
    for path in [tmp_path / "store", *(tmp_path / "store").rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    return tmp_path


def configure(text: str) -> None:
    path = Path(".ocmconfig")
    path.write_text(HEAD + text)
    path.chmod(0o600)


def key(algorithm: str, **properties: object) -> str:
    identity = {"type": "RSA/v1alpha1", "algorithm": algorithm, "signature": "default"}
    texts = {name: str(value) for name, value in properties.items()}
    entry = {"identity": identity, "credentials": [{"type": "Credentials", "properties": texts}]}
    return f"- {{type: credentials.config.ocm.software, consumers: [{json.dumps(entry)}]}}\n"


def as_json(capsys, *arguments: str, code: int = 0):
    capsys.readouterr()
    assert run([*arguments, "-o", "json"]) == code
    return json.loads(capsys.readouterr().out)


def test_show_prints_lines_with_their_origin(folder, capsys) -> None:
    assert run(["config", "show"]) == 0
    assert "no configuration file" in capsys.readouterr().err
    configure(RESOLVER + "- {type: x.test}\n")
    assert run(["config", "show", "--origin"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith(f"{folder / '.ocmconfig'}:3 ")
    assert lines[2].split()[1:] == ["x.test", "not", "used", "by", "ocm-pkg"]
    shown = as_json(capsys, "config", "show", "--origin")
    assert [(one["used"], one["origin"]["line"]) for one in shown["entries"]] == [
        (True, 3),
        (False, 4),
    ]
    assert as_json(capsys, "config", "show")["entries"][1] == {
        "type": "x.test",
        "used": False,
        "value": None,
    }


@pytest.mark.parametrize(
    ("rules", "ref", "code"),
    [
        (f"{STORE}}}", COMPONENT, 0),
        (f"{STORE}}}", f"{COMPONENT}:1.0.0", 0),
        (f"{STORE}}}", f"{COMPONENT}:2.0.0", 3),
        (f'{STORE}, versionConstraint: "^1"}}', COMPONENT, 0),
        (f'{STORE}, versionConstraint: "^2"}}', COMPONENT, 3),
        (f'{STORE}, versionConstraint: "^2"}}, {STORE}}}', COMPONENT, 0),
        (f"{STORE}, componentNamePattern: 'other/*'}}", COMPONENT, 3),
        ("{repository: {type: CTF, filePath: nowhere}}, " + f"{STORE}}}", COMPONENT, 3),
    ],
)
def test_resolvers_say_where_a_component_is(rules, ref, code) -> None:
    configure(f"- {{type: resolvers.config.ocm.software, resolvers: [{rules}]}}\n")
    assert run(["get", "cv", ref]) == code


@pytest.mark.parametrize(
    ("locations", "version", "code"),
    [
        (("nowhere", "store"), "", 0),
        (("nowhere", "store"), ":1.0.0", 0),
        (("nowhere", "store"), ":2.0.0", 3),
        (("store", "nowhere"), ":1.0.0", 0),
        (("nowhere",), "", 3),
    ],
)
def test_old_resolvers_are_tried_in_turn(locations, version, code) -> None:
    rules = ", ".join(
        f"{{repository: {{type: ctf, filePath: {name}}}, priority: {9 - index}}}"
        for index, name in enumerate(locations)
    )
    configure(f"- {{type: ocm.config.ocm.software, resolvers: [{rules}]}}\n")
    assert run(["get", "cv", COMPONENT + version]) == code


def test_an_alias_is_a_repository_unless_there_is_such_a_folder(folder) -> None:
    configure("- {type: ocm.config.ocm.software, aliases: {mine: {type: ctf, filePath: store}}}\n")
    assert run(["get", "cv", f"mine//{COMPONENT}"]) == 0
    assert run(["get", "cv", "mine"]) == 0
    (folder / "mine").mkdir()
    assert run(["get", "cv", f"mine//{COMPONENT}"]) != 0


def test_a_key_for_both_algorithms_leaves_the_choice_to_the_descriptor(capsys) -> None:
    files = {
        "private_key_pem": (KEYS / "test-key-a.private.pem").read_text(),
        "public_key_pem_file": KEYS / "test-key-a.public.pem",
    }
    configure(RESOLVER + key("RSASSA-PSS", **files) + key("RSASSA-PKCS1-V1_5", **files))
    assert as_json(capsys, "sign", "cv", COMPONENT)["bothTools"] is True
    assert as_json(capsys, "verify", "cv", COMPONENT)["result"] == "ok"
    asked = as_json(capsys, "sign", "cv", COMPONENT, "--force", "--algorithm", "RSASSA-PSS")
    assert asked["algorithm"] == "RSASSA-PSS"


def test_the_own_key_signs_with_what_is_configured_if_there_is_no_other(capsys) -> None:
    assert run(["key", "new"]) == 0
    signer = "{type: RSASigningConfiguration, signatureAlgorithm: RSASSA-PSS}"
    configure(RESOLVER + f"- {{type: signing.config.ocm.software, signer: {signer}}}\n")
    assert as_json(capsys, "sign", "cv", COMPONENT)["algorithm"] == "RSASSA-PSS"
    assert as_json(capsys, "verify", "cv", COMPONENT)["result"] == "ok"
    own = ".config/ocm-pkg/keys/default.private.pem"
    again = as_json(capsys, "sign", "cv", COMPONENT, "--force", "--key", own)
    assert again["algorithm"] == "RSASSA-PSS"


def test_a_configured_signature_with_certificates_is_pem(capsys) -> None:
    files = {
        "private_key_pem": (KEYS / "test-leaf.private.pem").read_text(),
        "public_key_pem_file": KEYS / "test-leaf.chain.pem",
    }
    signer = "{type: RSASigningConfiguration, signatureEncodingPolicy: PEM}"
    settings = f"- {{type: signing.config.ocm.software, signer: {signer}}}\n"
    configure(RESOLVER + settings + key("RSASSA-PSS", **files))
    signed = as_json(capsys, "sign", "cv", COMPONENT)
    assert signed["mediaType"] == "application/x-pem-file"
    assert as_json(capsys, "verify", "cv", COMPONENT)["result"] == "ok"
    plain = as_json(capsys, "sign", "cv", COMPONENT, "--force", "--encoding", "plain")
    assert plain["mediaType"] == "application/vnd.ocm.signature.rsa.pss"


def test_a_signer_that_cannot_sign_here_is_refused(capsys) -> None:
    signer = "{type: SigstoreSigningConfiguration/v1alpha1}"
    configure(RESOLVER + f"- {{type: signing.config.ocm.software, signer: {signer}}}\n")
    assert run(["sign", "cv", COMPONENT]) == 2
    assert "SigstoreSigningConfiguration/v1alpha1, which can't be made here" in (
        capsys.readouterr().err
    )
