"""Sign a component version where it is: complete its digests, choose the form, sign, write back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ocm_pkg.errors import (
    AlreadyExistsError,
    ComponentVersionNotFoundError,
    ConflictError,
    DigestMismatchError,
    UnreachableContentError,
    UsageError,
)
from ocm_pkg.model.descriptor import Signature
from ocm_pkg.model.digest import algorithm_of, digest_of
from ocm_pkg.model.identity import show
from ocm_pkg.model.normalise import V3, V4ALPHA1, normalise
from ocm_pkg.model.published import undigested
from ocm_pkg.signing import certificates, gpg, gpgsign, sigstorebundle, sigstoresign
from ocm_pkg.signing.form import choose, same_under_both
from ocm_pkg.signing.handlers import make_value
from ocm_pkg.store.closure import check_reference
from ocm_pkg.store.digester import digest_resource, digest_spec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import TypeAlias

    from ocm_pkg.model.descriptor import (
        ComponentDescriptor,
        DigestSpec,
        Reference,
        Resource,
        SignatureSpec,
    )
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Repository
    from ocm_pkg.signing.form import Form, Request
    from ocm_pkg.signing.keys import SigningKey

    Key: TypeAlias = "SigningKey | gpgsign.GpgSigningKey | sigstoresign.SigstoreSigner"


_OF_OTHER_KEYS = frozenset({gpg.ALGORITHM, sigstorebundle.ALGORITHM})


@dataclass(frozen=True, slots=True)
class Signed:
    """A component version with its new signature; ``completed`` names what got a digest."""

    descriptor: ComponentDescriptor
    signature: Signature
    form: Form
    completed: tuple[str, ...]


def sign(
    *,
    repository: Repository,
    descriptor: ComponentDescriptor,
    key: Key,
    now: datetime,
    request: Request,
    force: bool = False,
    dry_run: bool = False,
) -> Signed:
    """Sign ``descriptor`` and commit it to ``repository``; with ``dry_run`` commit nothing.

    Raises ``AlreadyExistsError`` if there is a signature of that name, unless ``force``, and
    ``UsageError`` if what is asked for can't be made with this key; what Sigstore signs is public
    at once, so it has no ``dry_run``.
    """
    request = _fitting(request, key)
    if dry_run and isinstance(key, sigstoresign.SigstoreSigner):
        raise UsageError(
            "a Sigstore signature is public as soon as it is made, so there is no dry run",
            hint="leave out --dry-run, or look at the digest with: ocm-pkg hash cv",
        )
    name, chain = request.name, request.chain
    if descriptor.signature(name) is not None and not force:
        raise AlreadyExistsError(
            f"{descriptor.name}:{descriptor.version} has a signature {name!r} already",
            hint="choose another name with --signature, or replace it with --force",
        )
    if chain:
        certificates.check_signer(chain[0], now)
    others = [one.name for one in descriptor.signatures if one.name != name]
    to_v3 = not others and request.normalisation in {None, V3}
    complete, completed = _complete(descriptor, repository, to_v3=to_v3)
    if others and completed:
        raise _would_break(descriptor, others, completed)
    form = choose(complete, request)
    hash_algorithm = algorithm_of(request.hash_algorithm)
    digest = digest_of(normalise(complete, form.normalisation), hash_algorithm)
    signature = Signature(
        name=name,
        digest=digest_spec(digest).model_copy(
            update={"normalisation_algorithm": form.normalisation}
        ),
        signature=_value(digest, key, form, request, now),
    )
    signed = complete.with_signature(signature, replace=True)
    if not dry_run:
        repository.add(signed, replace=True)
    return Signed(signed, signature, form, completed)


def _fitting(request: Request, key: Key) -> Request:
    """Return the request with the one algorithm that a key may have; refuse what doesn't fit."""
    sort, own = "an RSA key", None
    if isinstance(key, gpgsign.GpgSigningKey):
        sort, own = "an OpenPGP key", gpg.ALGORITHM
    elif isinstance(key, sigstoresign.SigstoreSigner):
        sort, own = "an identity token", sigstorebundle.ALGORITHM
    if own and request.algorithm is None:
        request = replace(request, algorithm=own)
    wanted = request.algorithm if request.algorithm in _OF_OTHER_KEYS else None
    if wanted != own:
        raise UsageError(
            f"{request.algorithm} signatures are not made with {sort}",
            hint="leave out --algorithm, or give a key for it",
        )
    if own and request.chain:
        form = "an OpenPGP" if own == gpg.ALGORITHM else "a Sigstore"
        raise UsageError(
            f"{form} signature carries no certificates of --chain", hint="leave out --chain"
        )
    return request


def _value(
    digest: Digest,
    key: Key,
    form: Form,
    request: Request,
    now: datetime,
) -> SignatureSpec:
    if isinstance(key, gpgsign.GpgSigningKey):
        return gpgsign.make_value(digest, key, now)
    if isinstance(key, sigstoresign.SigstoreSigner):
        return sigstoresign.make_value(digest, key, now)
    return make_value(digest, key, form.algorithm, request.chain)


def _would_break(
    descriptor: ComponentDescriptor, others: Sequence[str], completed: Sequence[str]
) -> ConflictError:
    return ConflictError(
        f"{descriptor.name}:{descriptor.version} has no digest for {', '.join(completed)}, and "
        f"completing it would break the signature {others[0]!r}",
        hint="make the component version anew, with digests, and sign it again",
    )


def _complete(
    descriptor: ComponentDescriptor, repository: Repository, *, to_v3: bool
) -> tuple[ComponentDescriptor, tuple[str, ...]]:
    """Return the descriptor with a digest wherever one belongs, and what got one.

    With ``to_v3`` digests of references are named ``jsonNormalisation/v3`` where their value is
    the same under that name, because only that name is known to both tools.
    """
    completed: list[str] = []
    resources: list[Resource] = []
    for resource in descriptor.component.resources:
        if resource.access.is_none or _has(resource.digest):
            resources.append(resource)
            continue
        resources.append(_digested(descriptor, resource, repository))
        completed.append(f"resource {show(resource.identity)}")
    references: list[Reference] = []
    for reference in descriptor.component.component_references:
        if not _has(reference.digest):
            completed.append(f"reference {show(reference.identity)}")
        references.append(_with_digest(reference, repository, to_v3=to_v3))
    unchanged = tuple(references) == descriptor.component.component_references and not completed
    if unchanged:
        return descriptor, ()
    component = descriptor.component.model_copy(
        update={"resources": tuple(resources), "component_references": tuple(references)}
    )
    return descriptor.model_copy(update={"component": component}), tuple(completed)


def _has(digest: DigestSpec | None) -> bool:
    return digest is not None and bool(digest.value)


def _digested(
    descriptor: ComponentDescriptor, resource: Resource, repository: Repository
) -> Resource:
    if not resource.access.is_local_blob:
        label = f"resource {show(resource.identity)} of {descriptor.name}:{descriptor.version}"
        raise UnreachableContentError(
            f"{label} has no digest, and its content is outside ({resource.access.type})",
            hint="add the digest in the constructor, or the content by value",
        )
    bare = resource.model_copy(update={"digest": None})
    return digest_resource(repository, descriptor, bare)


def _with_digest(reference: Reference, repository: Repository, *, to_v3: bool) -> Reference:
    """Return ``reference`` with a digest, under the name that fits most tools."""
    spec = reference.digest
    if spec is not None and spec.value and not (to_v3 and spec.normalisation_algorithm == V4ALPHA1):
        return reference
    what = f"{reference.component_name}:{reference.version}"
    try:
        child = repository.get(reference.component_name, reference.version)
    except ComponentVersionNotFoundError as error:
        if spec is not None and spec.value:
            return reference
        raise ComponentVersionNotFoundError(
            f"reference {reference.name!r} has no digest, and {what} is not in this repository",
            hint=f"bring {what} into this repository first: ocm-pkg transfer cv",
        ) from error
    if spec is None or not spec.value:
        spec = _component_digest(child, what, named_v3=to_v3)
        return reference.model_copy(update={"digest": spec})
    check_reference(reference, child, "what is to be signed")
    if same_under_both(child):
        spec = spec.model_copy(update={"normalisation_algorithm": V3})
    return reference.model_copy(update={"digest": spec})


def _component_digest(child: ComponentDescriptor, what: str, *, named_v3: bool) -> DigestSpec:
    """Return the normalised digest of a component version, whose own digests must be complete."""
    if open_ends := undigested(child):
        raise DigestMismatchError(
            f"{what} has no digest for {show(open_ends[0].identity)}, so its own digest would "
            "vouch for nothing",
            hint=f"sign {what} first: signing completes its digests",
        )
    algorithm = V3 if named_v3 and same_under_both(child) else V4ALPHA1
    digest = digest_of(normalise(child, algorithm))
    return digest_spec(digest).model_copy(update={"normalisation_algorithm": algorithm})
