"""Build, sign, distribute, install and run plugins of the Open Component Model."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
