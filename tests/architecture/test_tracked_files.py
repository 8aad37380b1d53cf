"""No tracked file names a folder of somebody's machine, or the host of a package registry."""

import re

import pytest

from tests.architecture.source_tree import ROOT, require_none, tracked_files

# Written in two parts, so that this file does not contain what it looks for.
MACHINE_PATHS = re.compile(r"(?<![\w./~$}:-])/(?:" + "|".join(("work", "root", "tmp", "home", "Users")) + r")/[\w.-]")
REGISTRY_HOSTS = re.compile(
    r"\b(?:" + "|".join(
        host.replace(" ", r"\.") for host in
        ("pypi org", "pythonhosted org", "registry npmjs org", "yarnpkg com", "anaconda org", "docker io", "ghcr io",
         "gcr io", "quay io", "mcr microsoft com", "nvcr io", "download pytorch org", "deb debian org",
         "archive ubuntu com", "crates io", "proxy golang org")
    ) + r")\b"
)  # fmt: skip
INDEX_OPTIONS = re.compile(r"--(?:extra-)?index-url|--trusted-host|--find-links")
INDEX_OPTION_FILES = frozenset({"requirements.lock", "requirements-dev.lock"})
"""Where an option that names a registry would bind everybody to one machine's registry."""


def test_no_tracked_file_names_a_machine_path_or_a_registry_host():
    complaints = []
    for file in tracked_files():
        text = _text(file)
        complaints += foreign_names(str(file.relative_to(ROOT)), text)

    require_none(complaints)


@pytest.mark.parametrize(
    "line",
    ["path = '/" + "work/main/a.py'", "see /" + "root/.cache", 'open("/' + 'tmp/x")', "/" + "home/ann/data",
     "https://" + "pypi" + ".org/simple", "FROM " + "ghcr" + ".io/acuity"],
)  # fmt: skip
def test_the_check_sees_a_machine_path_and_a_registry_host(line):
    assert foreign_names("README.md", f"# Title\n{line}\n") != []


@pytest.mark.parametrize(
    "line",
    [
        "var/home/x",
        "the wheel then uses /tmp",
        "tmpfs: [/tmp]",
        "http://host/home/page",
        "receive/work/deliver",
        "./work/x",
    ],
)
def test_the_check_lets_other_paths_pass(line):
    assert foreign_names("README.md", line) == []


def test_the_check_sees_an_index_option_in_a_lock():
    assert foreign_names("requirements.lock", "--index-url https://x\n") != []
    assert foreign_names("Makefile", "pip-compile --no-emit-index-url\n") == []


def foreign_names(path, text):
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        hit = MACHINE_PATHS.search(line) or REGISTRY_HOSTS.search(line)
        if hit is None and path in INDEX_OPTION_FILES:
            hit = INDEX_OPTIONS.search(line)
        if hit is not None:
            found.append(f"{path}:{number}: {hit.group()!r}")
    return found


def _text(file):
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
