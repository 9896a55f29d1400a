from __future__ import annotations

import hashlib
import json
import shutil
import stat
from pathlib import Path

import pytest

from ocm_pkg.cli.main import run
from tests.fakes.trees import snapshot

SMALL = Path(__file__).parents[2] / "vectors"
WHOLE = Path(__file__).parents[4] / "shared/vectors"
KEYS = SMALL / "keys"
REF = "ctf//ocm.test/open/plugins/demo:1.0.0"
FORMS = ("v1", "v2", "v3", "v4alpha1")

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with an unsigned CTF, and a configuration folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("ocm_pkg.cli.main._end_on_signals", lambda: None)
    copy_ctf(SMALL / "tampered/signature-removed/ctf", tmp_path)
    return tmp_path


def copy_ctf(source: Path, folder: Path) -> None:
    shutil.rmtree(folder / "ctf", ignore_errors=True)
    shutil.copytree(source, folder / "ctf")
    for path in [folder / "ctf", *(folder / "ctf").rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def as_json(capsys, *arguments: str, code: int = 0):
    capsys.readouterr()
    assert run([*arguments, "-o", "json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_new_key_signs_and_verifies_without_being_named(capsys) -> None:
    key = as_json(capsys, "key", "new")
    assert stat.S_IMODE(Path(key["private"]).stat().st_mode) == 0o600
    assert [one["fingerprint"] for one in as_json(capsys, "key", "list")] == [key["fingerprint"]]
    signed = as_json(capsys, "sign", "cv", REF)
    assert (signed["bothTools"], signed["written"]) == (True, True)
    assert signed["fingerprint"] == key["fingerprint"]
    verified = as_json(capsys, "verify", "cv", REF)
    assert verified["result"] == "ok"
    assert verified["component"] == "ocm.test/open/plugins/demo"
    assert verified["signatures"][0]["fingerprint"] == key["fingerprint"]
    assert {check["result"] for check in verified["checks"]} == {"ok"}


def test_a_key_is_not_made_twice_and_its_public_half_is_printed(folder, capsysbinary) -> None:
    assert run(["key", "new", "release", "--out", "k"]) == 0
    before = snapshot(folder)
    assert run(["key", "new", "release", "--out", "k"]) == 8
    assert snapshot(folder) == before
    assert run(["key", "new"]) == 0
    capsysbinary.readouterr()
    assert run(["key", "export"]) == 0
    public = (folder / "config/ocm-pkg/keys/default.public.pem").read_bytes()
    assert capsysbinary.readouterr().out == public
    assert run(["key", "export", "nobody"]) == 3


def test_keys_are_listed_as_a_table(capsys) -> None:
    assert run(["key", "list"]) == 0
    assert "no keys" in capsys.readouterr().err
    assert run(["key", "new"]) == 0
    fingerprint = capsys.readouterr().out.splitlines()[0]
    assert run(["key", "list"]) == 0
    shown = capsys.readouterr().out
    assert "default" in shown
    assert fingerprint in shown


def test_the_command_says_which_form_it_took_and_why(capsys) -> None:
    key = ["--key", str(KEYS / "test-key-a.private.pem")]
    assert run(["sign", "cv", REF, *key]) == 0
    assert "both reference tools verify this" in capsys.readouterr().err
    assert run(["sign", "cv", REF, *key, "--signature", "b", "--algorithm", "RSASSA-PSS"]) == 0
    shown = capsys.readouterr().err
    assert "RSASSA-PSS over jsonNormalisation/v4alpha1" in shown
    assert "with certificates only" in shown


def test_a_dry_run_writes_nothing(folder, capsys) -> None:
    before = snapshot(folder)
    assert "fingerprint" not in as_json(capsys, "key", "new", "--dry-run")
    key = str(KEYS / "test-key-a.private.pem")
    assert as_json(capsys, "sign", "cv", REF, "--key", key, "--dry-run")["written"] is False
    assert snapshot(folder) == before


def test_a_failed_verification_is_a_record_with_its_error(folder, capsys) -> None:
    copy_ctf(SMALL / "tampered/blob-swapped-consistently/ctf", folder)
    key = ["--key", str(KEYS / "test-key-a.public.pem")]
    record = as_json(capsys, "verify", "cv", REF, *key, code=4)
    assert record["result"] == "failed"
    assert record["error"]["code"] == "E401"
    assert "failed" in {check["result"] for check in record["checks"]}
    assert as_json(capsys, "verify", "cv", REF, *key, "--level", "signature")["result"] == "ok"
    assert run(["verify", "cv", REF, *key]) == 4
    shown = capsys.readouterr()
    assert "failed" in shown.out
    assert "error[E401]" in shown.err


def test_without_a_key_and_without_a_signature_nothing_is_verified(folder, capsys) -> None:
    record = as_json(capsys, "verify", "cv", REF, code=4)
    assert (record["result"], record["error"]["code"]) == ("failed", "E402")
    copy_ctf(SMALL / "signed/v2-pss-plain/ctf", folder)
    record = as_json(capsys, "verify", "cv", REF, code=4)
    assert "--key" in record["error"]["hint"]


def test_content_outside_ends_with_5_and_can_be_skipped(folder, capsys) -> None:
    copy_ctf(SMALL / "signed/v2-pss-plain-external/ctf", folder)
    command = ["verify", "cv", "ctf//ocm.test/open/external:1.0.0"]
    command += ["--key", str(KEYS / "test-key-a.public.pem")]
    assert as_json(capsys, *command, code=5)["error"]["code"] == "E504"
    record = as_json(capsys, *command, "--skip-external")
    assert [check["result"] for check in record["checks"]].count("skipped") == 1


def test_a_certificate_signs_and_its_root_verifies() -> None:
    signing = ["--key", str(KEYS / "test-leaf.private.pem")]
    assert run(["sign", "cv", REF, *signing, "--encoding", "pem"]) == 2
    signing += ["--chain", str(KEYS / "test-leaf.chain.pem")]
    assert run(["sign", "cv", REF, *signing, "--encoding", "plain"]) == 2
    assert run(["sign", "cv", REF, *signing]) == 0
    assert run(["verify", "cv", REF, "--ca", str(KEYS / "test-root-ca.cert.pem")]) == 0
    assert run(["verify", "cv", REF, "--ca", str(KEYS / "test-other-root-ca.cert.pem")]) == 4


def test_S05_a_wrong_key_file_is_refused_and_nothing_changes(folder, capsys) -> None:
    before = snapshot(folder)
    assert run(["sign", "cv", REF, "--key", str(KEYS / "test-key-a.public.pem")]) == 2
    assert run(["sign", "cv", REF, "--key", "none.pem"]) == 3
    assert run(["sign", "cv", REF]) == 3
    assert run(["verify", "cv", REF, "--key", str(KEYS / "test-key-a.private.pem")]) == 2
    assert "PRIVATE" not in capsys.readouterr().err
    assert snapshot(folder) == before


def test_S05_an_encrypted_key_takes_its_password_from_a_file(folder, capsys) -> None:
    from cryptography.hazmat.primitives import serialization

    from ocm_pkg.signing.keys import load_private_key

    key = load_private_key(KEYS / "test-key-a.private.pem").key
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"correct horse"),
    )
    (folder / "k.pem").write_bytes(encrypted)
    (folder / "password").write_bytes(b"correct horse\n")
    (folder / "wrong").write_bytes(b"battery staple\n")
    sign = ["sign", "cv", REF, "--key", "k.pem"]
    assert run(sign) == 2
    assert run([*sign, "--password-file", "wrong", "-v"]) == 2
    shown = capsys.readouterr()
    assert "battery" not in shown.out + shown.err
    assert run([*sign, "--password-file", "password"]) == 0


def test_S06_a_private_key_that_others_can_read_is_warned_of(folder, capsys) -> None:
    shutil.copy(KEYS / "test-key-a.private.pem", folder / "k.pem")
    (folder / "k.pem").chmod(0o644)
    assert run(["sign", "cv", REF, "--key", "k.pem"]) == 0
    assert "chmod 600" in capsys.readouterr().err


def test_B08_a_private_key_is_loaded_once_to_sign_and_never_to_verify(monkeypatch) -> None:
    from cryptography.hazmat.primitives import serialization

    from ocm_pkg.signing import keys

    loads = []
    real = serialization.load_pem_private_key
    monkeypatch.setattr(
        keys.serialization,
        "load_pem_private_key",
        lambda *arguments: loads.append(1) or real(*arguments),
    )
    assert run(["sign", "cv", REF, "--key", str(KEYS / "test-key-a.private.pem")]) == 0
    assert len(loads) == 1
    assert run(["verify", "cv", REF, "--key", str(KEYS / "test-key-a.public.pem")]) == 0
    assert len(loads) == 1


def recorded() -> list:
    root = WHOLE if WHOLE.is_dir() else SMALL
    found = []
    for index in sorted(root.glob("components/*/*/ctf/artifact-index.json")):
        case = index.parents[1]
        entries = json.loads(index.read_text())["artifacts"]
        tags = [one for one in entries if one.get("tag")]
        if len(tags) == 1:
            component = tags[0]["repository"].removeprefix("component-descriptors/")
            version = tags[0]["tag"].replace(".build-", "+")
            found.append(
                pytest.param(case, f"{component}:{version}", id=str(case.relative_to(root)))
            )
    return found


@pytest.mark.parametrize(("case", "version"), recorded())
def test_the_digest_and_the_normalised_bytes_are_the_recorded_ones(
    capsysbinary, case, version
) -> None:
    ref = f"{case / 'ctf'}//{version}"
    for form in FORMS:
        expected = (case / f"normalised/jsonNormalisation-{form}.txt").read_bytes()
        name = f"jsonNormalisation/{form}"
        assert run(["hash", "cv", ref, "--normalisation", name, "--actual"]) == 0
        assert capsysbinary.readouterr().out == expected
        assert run(["hash", "cv", ref, "--normalisation", form, "--hash", "SHA-512"]) == 0
        digest = hashlib.sha512(expected).hexdigest()
        assert capsysbinary.readouterr().out == digest.encode() + b"\n"


def test_the_default_digest_is_the_newer_tools(capsys) -> None:
    value = as_json(capsys, "hash", "cv", REF)
    assert value["normalisation"] == "jsonNormalisation/v4alpha1"
    assert (value["hash"], len(value["digest"])) == ("SHA-256", 64)
    actual = as_json(capsys, "hash", "cv", REF, "--actual")["normalised"]
    assert hashlib.sha256(actual.encode()).hexdigest() == value["digest"]
    assert run(["hash", "cv", REF, "--normalisation", "jsonNormalisation/v9"]) == 2
