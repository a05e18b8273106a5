"""The ways to install it agree: wheel, Debian package and image."""

from __future__ import annotations

import re

import pytest

from csijournal import __version__
from deploy.conftest import ROOT

PROJECT = (ROOT / "pyproject.toml").read_text()
CONTAINERFILE = (ROOT / "Containerfile").read_text()
CONTROL = (ROOT / "debian" / "control").read_text()


def dependencies() -> list[str]:
    """What csijournal cannot do without, by the names of PyPI."""
    (listed,) = re.findall(r"^dependencies = \[(.*?)\]", PROJECT, re.MULTILINE | re.DOTALL)
    return re.findall(r'"([\w-]+)', listed)


@pytest.mark.parametrize("name", dependencies())
def test_each_dependency_is_in_the_image_and_at_hand_when_the_manual_is_made(name: str) -> None:
    package = f"python3-{name}"
    assert re.search(rf"\b{package}\b", CONTAINERFILE.rpartition("\nFROM ")[2])
    assert re.search(rf"^ {package},$", CONTROL.partition("\n\n")[0], re.MULTILINE)


def test_the_debian_package_has_the_version_of_the_wheel() -> None:
    changelog = (ROOT / "debian" / "changelog").read_text()
    assert changelog.startswith(f"csijournal ({__version__}) ")


def test_both_bindings_come_with_the_image_and_are_asked_for_by_the_package() -> None:
    for binding in ("python3-rados", "python3-rbd"):
        assert binding in CONTAINERFILE
        assert binding in CONTROL.partition("\n\n")[2]
