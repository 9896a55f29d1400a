from __future__ import annotations

from ocm_pkg.fs.process import child_environment


def test_only_the_allow_list_passes():
    environ = {
        "PATH": "/bin",
        "HOME": "/h",
        "LC_ALL": "C",
        "XDG_DATA_HOME": "/d",
        "HTTPS_PROXY": "p",
        "TZ": "UTC",
        "AWS_SECRET_ACCESS_KEY": "s",
        "GITHUB_TOKEN": "s",
        "OCM_PASSWORD": "s",
        "SSH_AUTH_SOCK": "s",
        "PYTHONPATH": "x",
        "PYTHONHOME": "x",
        "LD_PRELOAD": "x",
        "_MEIPASS2": "x",
        "_PYI_ARCHIVE_FILE": "x",
    }
    assert child_environment(environ) == {
        "PATH": "/bin",
        "HOME": "/h",
        "LC_ALL": "C",
        "XDG_DATA_HOME": "/d",
        "HTTPS_PROXY": "p",
        "TZ": "UTC",
        "PYINSTALLER_RESET_ENVIRONMENT": "1",
    }


def test_loader_variables_of_a_frozen_program_are_restored_or_removed():
    environ = {
        "LD_LIBRARY_PATH": "/x/_MEI1",
        "LD_LIBRARY_PATH_ORIG": "/opt/lib",
        "DYLD_LIBRARY_PATH": "/x/_MEI1",
    }
    made = child_environment(environ)
    assert made["LD_LIBRARY_PATH"] == "/opt/lib"
    assert not {"LD_LIBRARY_PATH_ORIG", "DYLD_LIBRARY_PATH"} & set(made)
    assert "LD_LIBRARY_PATH" not in child_environment({"LD_LIBRARY_PATH": "/x"})
    assert "LD_LIBRARY_PATH" not in child_environment({"LD_LIBRARY_PATH_ORIG": ""})


def test_what_the_caller_adds_wins():
    made = child_environment({"PATH": "/bin"}, {"PATH": "/only", "TOKEN": "given on purpose"})
    assert made["PATH"] == "/only"
    assert len(made["TOKEN"]) == 16
