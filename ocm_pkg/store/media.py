"""Media types and annotations of component versions in OCI stores."""

from __future__ import annotations

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX})

DESCRIPTOR = "application/vnd.ocm.software.component-descriptor.v2"
"""The ``artifactType`` of a component version's manifest."""

DESCRIPTOR_JSON = f"{DESCRIPTOR}+json"
DESCRIPTOR_YAML = f"{DESCRIPTOR}+yaml"
_CNUDIE = "application/vnd.gardener.cloud.cnudie.component-descriptor.v2"

DESCRIPTOR_PLAIN = frozenset(
    {DESCRIPTOR_JSON, DESCRIPTOR_YAML, f"{_CNUDIE}+json", f"{_CNUDIE}+yaml"}
)
DESCRIPTOR_TAR = frozenset(
    {
        f"{DESCRIPTOR}+yaml+tar",
        f"{_CNUDIE}+yaml+tar",
        "application/vnd.oci.gardener.cloud.cnudie.component-descriptor.config.v2+yaml+tar",
    }
)
DESCRIPTOR_FILE = "component-descriptor.yaml"
"""The one file in a descriptor that is stored as a tar."""

CONFIG = "application/vnd.ocm.software.component.config.v1+json"
CONFIGS = frozenset(
    {
        CONFIG,
        "application/vnd.gardener.cloud.cnudie.component.config.v1+json",
        "application/vnd.oci.gardener.cloud.cnudie.component-descriptor-metadata.config.v2+json",
    }
)

OCTET_STREAM = "application/octet-stream"

COMPONENT_VERSION = "software.ocm.componentversion"
CREATOR = "software.ocm.creator"
ARTIFACT = "software.ocm.artifact"
