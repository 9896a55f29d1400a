"""Tests of the repository, without a plugin manager.

PYTHONPATH=src python -m unittest discover tests
"""

from __future__ import annotations

import unittest
from pathlib import Path

from greeter_plugin.repository import Greeter
from ocm_pkg.sdk import NotFound

COMPONENT = "example.com/greetings"


class GreeterTest(unittest.TestCase):
    """What a plugin manager asks for."""

    def setUp(self) -> None:
        self.repository = Greeter({"type": "GreeterRepository/v1", "greeting": "Servus"})

    def test_lists_the_one_version(self) -> None:
        self.assertEqual(self.repository.versions(COMPONENT), ["1.0.0"])

    def test_the_descriptor_names_the_component(self) -> None:
        descriptor = self.repository.get(COMPONENT, "1.0.0")
        self.assertEqual(descriptor["component"]["name"], COMPONENT)

    def test_the_greeting_comes_from_the_specification(self) -> None:
        content = self.repository.local_resource(COMPONENT, "1.0.0", {"name": "greeting"})
        self.assertEqual(Path(content.path).read_text(), "Servus\n")

    def test_another_version_is_not_found(self) -> None:
        with self.assertRaises(NotFound):
            self.repository.get(COMPONENT, "2.0.0")


if __name__ == "__main__":
    unittest.main()
