"""Which form a signature gets: one that both reference implementations verify, if possible.

That is the name ``jsonNormalisation/v3`` with RSASSA-PKCS1-V1_5 as plain hex, or with a
certificate chain. What the older tool (v1) cannot verify gets the form of the newer one (v2):
``jsonNormalisation/v4alpha1``, and RSASSA-PSS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.model.normalise import V3, V4ALPHA1, normalise
from ocm_pkg.signing import certificates, gpg, sigstorebundle
from ocm_pkg.signing.rsa import PKCS1, PSS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cryptography.x509 import Certificate

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource

GENERIC = "genericBlobDigest/v1"
_NATIVE = ("application/vnd.oci.image.", "application/vnd.docker.distribution.manifest.")


@dataclass(frozen=True, slots=True)
class Request:
    """What a signature shall be. What is None is chosen.

    With a ``chain``, the signer's own certificate first, the signature carries it, as PEM.
    """

    name: str = "default"
    algorithm: str | None = None
    normalisation: str | None = None
    hash_algorithm: str = "SHA-256"
    chain: Sequence[Certificate] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """How a signature is written.

    ``both_tools``: both reference implementations verify it. ``notes``: why they do not, or what
    may keep them from it later; one sentence each.
    """

    algorithm: str
    normalisation: str
    both_tools: bool
    notes: tuple[str, ...] = ()


def choose(descriptor: ComponentDescriptor, request: Request) -> Form:
    """Return the form of a new signature of ``descriptor``."""
    obstacles = (*_of_request(request), *_of_content(descriptor))
    both = not obstacles
    return Form(
        request.algorithm or (PKCS1 if both and not request.chain else PSS),
        request.normalisation or (V3 if both else V4ALPHA1),
        both,
        (*obstacles, *_warnings(descriptor)),
    )


def same_under_both(descriptor: ComponentDescriptor) -> bool:
    """Whether both tools digest the same bytes, whatever they call the normalisation."""
    return normalise(descriptor, V3) == normalise(descriptor, V4ALPHA1)


def _of_request(request: Request) -> Iterator[str]:
    if request.normalisation not in {None, V3}:
        yield f"{request.normalisation} is known to one of them only"
    if request.algorithm == gpg.ALGORITHM:
        yield "v1 does not know OpenPGP signatures"
    if request.algorithm == sigstorebundle.ALGORITHM:
        yield "v1 has another form of Sigstore signatures"
    if request.algorithm == PSS and not request.chain:
        yield "v1 verifies RSASSA-PSS with certificates only"
    if request.chain and certificates.common_name(request.chain[0]) != request.name:
        common = certificates.common_name(request.chain[0])
        yield f"v1 wants the certificate's common name as the signature's name: {common!r}"


def _of_content(descriptor: ComponentDescriptor) -> Iterator[str]:
    if not same_under_both(descriptor):
        yield (
            "v1 and v2 normalise this descriptor differently: it has versions or nulls in signed "
            "labels, or resources told apart by their version alone"
        )
    for reference in descriptor.component.component_references:
        if reference.digest and reference.digest.normalisation_algorithm != V3:
            algorithm = reference.digest.normalisation_algorithm
            yield f"v1 does not know {algorithm}, which reference {reference.name!r} uses"
    for resource in descriptor.component.resources:
        if _digested_otherwise(resource):
            yield f"v1 digests the OCI artifact {resource.name!r} in another way"


def _digested_otherwise(resource: Resource) -> bool:
    if resource.digest is None or resource.digest.normalisation_algorithm != GENERIC:
        return False
    access = resource.access
    if access.is_local_blob:
        media_type = access.media_type or ""
        return media_type.startswith(_NATIVE) and media_type.endswith("+json")
    return access.is_oci_artifact


def _warnings(descriptor: ComponentDescriptor) -> Iterator[str]:
    if descriptor.component.creation_time is not None:
        yield "a transfer by v2 drops the creation time, and with it every signature"
