"""PyInstaller hook: ``sdk``, ``contract`` and ``errors`` need each other and nothing else."""  # noqa: INP001

excludedimports = [
    "click",
    "cryptography",
    "jsonschema",
    "ocm_pkg.builders",
    "ocm_pkg.cli",
    "ocm_pkg.flows",
    "ocm_pkg.fs",
    "ocm_pkg.model",
    "ocm_pkg.plugin",
    "ocm_pkg.plugins",
    "ocm_pkg.ports",
    "ocm_pkg.services",
    "ocm_pkg.signing",
    "ocm_pkg.store",
    "pydantic",
    "rich",
    "yaml",
]
