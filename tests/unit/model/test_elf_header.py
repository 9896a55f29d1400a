"""The header by which programs of an architecture are recognised."""

from __future__ import annotations

import pytest

from ocm_pkg.model.binary import elf_header, platforms_of
from ocm_pkg.model.platform import ARCHITECTURES, Platform


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_the_header_of_every_architecture_is_one(architecture):
    assert platforms_of(elf_header(architecture)) == (Platform("linux", architecture),)
