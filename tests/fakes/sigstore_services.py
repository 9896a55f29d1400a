"""The services of a Sigstore on loopback: an authority and a log, in a thread of the test."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.fakes.sigstore_instance import IDENTITY, ISSUER, SigstoreInstance, Wish, canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = base64.urlsafe_b64encode(b"s3cret-of-the-test").decode()
"""The last part of every token here: what makes it worth stealing."""

CERTIFICATES, ENTRIES = "/api/v2/signingCert", "/api/v1/log/entries"


def identity_token(**claims: object) -> str:
    """Return a token; nobody checks its signature, as in Sigstore's clients."""
    now = int(datetime.now(UTC).timestamp())
    said = {"iss": ISSUER, "sub": IDENTITY, "aud": "sigstore", "iat": now - 5, "exp": now + 600}
    parts = [{"alg": "RS256", "typ": "JWT"}, {**said, **claims}]
    texts = [base64.urlsafe_b64encode(canonical(part)).decode().rstrip("=") for part in parts]
    return ".".join([*texts, SECRET])


class SigstoreServices:
    """Answers requests; ``answers`` has other answers (status, body) by path.

    ``requests`` are the paths that were asked for. ``wish`` changes what is certified.
    """

    def __init__(self, instance: SigstoreInstance) -> None:
        self.instance = instance
        self.wish: Callable[[Wish], Wish] = lambda wish: wish
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.requests: list[str] = []

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body."""
        self.requests.append(path)
        if path in self.answers:
            return self.answers[path]
        value = json.loads(body)
        if path == CERTIFICATES:
            return 200, canonical(self._certified(authorization, value))
        assert path == ENTRIES, path
        return 201, canonical(self._logged(value))

    def _certified(self, authorization: str, value: dict[str, Any]) -> dict[str, Any]:
        claims = authorization.removeprefix("Bearer ").split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        pem = base64.b64decode(value["certificateSigningRequest"])
        key = x509.load_pem_x509_csr(pem).public_key()
        now = datetime.now(UTC).replace(microsecond=0)
        leaf = self.instance.certificate(key, self.wish(Wish(said["sub"], said["iss"], now)))
        chain = [one.public_bytes(Encoding.PEM).decode() for one in (leaf, self.instance.ca)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _logged(self, proposal: dict[str, Any]) -> dict[str, Any]:
        entry = self.instance.entry(canonical(_without_nulls(proposal)), datetime.now(UTC))
        proof = entry["inclusionProof"]
        return {
            "uuid": {
                "body": entry["canonicalizedBody"],
                "integratedTime": int(entry["integratedTime"]),
                "logID": _hex(entry["logId"]["keyId"]),
                "logIndex": int(entry["logIndex"]),
                "verification": {
                    "inclusionProof": {
                        "logIndex": int(proof["logIndex"]),
                        "rootHash": _hex(proof["rootHash"]),
                        "treeSize": int(proof["treeSize"]),
                        "hashes": [_hex(one) for one in proof["hashes"]],
                        "checkpoint": proof["checkpoint"]["envelope"],
                    },
                    "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
                },
            }
        }


@contextmanager
def running() -> Iterator[SigstoreServices]:
    """Give the services of a new instance, and end them."""
    services = SigstoreServices(SigstoreInstance())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = services.answer(self.path, self.headers.get("Authorization", ""), body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        services.instance.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield services
        finally:
            server.shutdown()
            thread.join()


def _hex(text: str) -> str:
    return base64.b64decode(text).hex()


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return value
