# What `import ocm_pkg` gives; at run time each name is imported when it is first used.

from ocm_pkg import errors as errors
from ocm_pkg.contract.capabilities import Capability as Capability
from ocm_pkg.model.descriptor import (
    ComponentDescriptor as ComponentDescriptor,
)
from ocm_pkg.model.descriptor import (
    Resource as Resource,
)
from ocm_pkg.model.digest import Digest as Digest
from ocm_pkg.model.identity import Identity as Identity
from ocm_pkg.model.platform import Platform as Platform
from ocm_pkg.model.reference import ComponentRef as ComponentRef
from ocm_pkg.model.reference import RepositorySpec as RepositorySpec
from ocm_pkg.plugin.manager import PluginManager as PluginManager
from ocm_pkg.plugin.registry import ImplementedPlugin as ImplementedPlugin
from ocm_pkg.ports import Blob as Blob
from ocm_pkg.ports import Repository as Repository
from ocm_pkg.services.build import build as build
from ocm_pkg.services.construct import construct as construct
from ocm_pkg.services.install import install as install
from ocm_pkg.services.publish import publish as publish
from ocm_pkg.services.sign import sign as sign
from ocm_pkg.services.transfer import transfer as transfer
from ocm_pkg.services.verify import verify as verify
from ocm_pkg.signing.trust import TrustPolicy as TrustPolicy
from ocm_pkg.store.provider import open_repository as open_repository

__version__: str
