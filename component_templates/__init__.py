"""What ``ocm-pkg init`` copies: complete small plugins; in the wheel as ``ocm_pkg.templates``."""
