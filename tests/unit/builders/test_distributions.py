"""Installed packages: whose a file is, and where the licence texts are."""

from __future__ import annotations

import pytest

from ocm_pkg.builders.distributions import distributions, owners

METADATA = """\
Metadata-Version: 2.4
Name: {name}
Version: 1.0
License-File: LICENSE
License-File: sub/COPYING
License-File: ../../outside
License-File: missing

Version: 9.9
"""


def install(site, name, files=(), licences=()):
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA.format(name=name))
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(file)
    (info / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in files) + "\n")
    for licence in licences:
        (info / licence).parent.mkdir(parents=True, exist_ok=True)
        (info / licence).write_text(licence)
    return info


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    install(folder, "Some.Name", ("some/__init__.py", "some/data.txt", "../bin/some"))
    install(folder, "other", ("other.py",))
    return folder


def test_packages_are_known_by_one_spelling_and_the_first_on_the_path_counts(site, tmp_path):
    second = tmp_path / "second"
    install(second, "some_name")
    install(second, "third")
    (second / "empty-1.dist-info").mkdir()
    (second / "nameless-1.dist-info").mkdir()
    (second / "nameless-1.dist-info/METADATA").write_text("Version: 1\n")
    found = distributions([site, second, tmp_path / "nowhere"])
    assert [(one.name, one.version) for one in found] == [
        ("other", "1.0"),
        ("some-name", "1.0"),
        ("third", "1.0"),
    ]
    assert found[1].folder.parent == site


def test_a_file_belongs_to_the_package_that_recorded_it(site, tmp_path):
    found = distributions([site])
    assert owners(found, {f"{site}/some/__init__.py", f"{site}/own.py"}) == {"some-name"}
    assert owners(found, {f"{tmp_path}/bin/some"}) == {"some-name"}
    assert owners(found, {f"{site}/elsewhere.py"}) == frozenset()


def test_files_are_compared_by_where_they_are(site, tmp_path):
    (tmp_path / "link").symlink_to(site)
    found = distributions([tmp_path / "link"])
    assert owners(found, {f"{site}/other.py"}) == {"other"}


def test_a_package_without_a_record_owns_nothing(site):
    (site / "other-1.0.dist-info/RECORD").unlink()
    assert owners(distributions([site]), {f"{site}/other.py"}) == frozenset()


def test_licence_texts_are_found_wherever_packages_keep_them(site, tmp_path):
    info = install(
        site,
        "texts",
        licences=("licenses/sub/COPYING", "LICENSE", "NOTICE.txt", "COPYING-3", "other.txt"),
    )
    (tmp_path / "outside").write_text("not of the package")
    (info / "LICENSE.link").symlink_to(tmp_path / "outside")
    (found,) = [one for one in distributions([site]) if one.name == "texts"]
    assert {name: path.read_text() for name, path in found.licences().items()} == {
        "LICENSE": "LICENSE",
        "sub/COPYING": "licenses/sub/COPYING",
        "NOTICE.txt": "NOTICE.txt",
        "COPYING-3": "COPYING-3",
    }
