"""Resources that name an OCI artifact, with its digest, and named by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.errors import DigestMismatchError
from ocm_pkg.model.descriptor import DigestSpec
from ocm_pkg.model.digest import Digest, algorithm_of
from ocm_pkg.store.digester import GENERIC_BLOB, OCI_ARTIFACT, is_excluded

if TYPE_CHECKING:
    from ocm_pkg.model.descriptor import Resource

_SORTS = frozenset({OCI_ARTIFACT, GENERIC_BLOB})


def pinned(resource: Resource, found: Digest) -> Resource:
    """Return a resource with the digest of the artifact that it names, and its access pinned to it.

    ``found`` is the digest of the artifact's manifest; of a single blob it is its own. A digest
    that is there already is compared and kept: ``DigestMismatchError``.
    """
    spec, is_artifact = resource.digest, resource.access.is_oci_artifact
    if spec is not None and not is_excluded(spec) and spec.normalisation_algorithm in _SORTS:
        said = Digest(algorithm_of(spec.hash_algorithm), spec.value.lower())
        if said.algorithm == found.algorithm and said != found:
            raise DigestMismatchError(
                f"{resource.name} is not what the descriptor says: expected {said}, got {found}",
                hint="the image was changed after the descriptor was made",
            )
    if spec is None:
        spec = DigestSpec(
            hash_algorithm=found.ocm_algorithm,
            normalisation_algorithm=OCI_ARTIFACT if is_artifact else GENERIC_BLOB,
            value=found.hex,
        )
    access = resource.access
    if is_artifact and "@" not in access.image_reference:
        reference = f"{access.image_reference}@{found}"
        access = type(access).model_validate({**access.to_json(), "imageReference": reference})
    return resource.model_copy(update={"digest": spec, "access": access})
