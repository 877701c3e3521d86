"""What is installed: pinned by hash, agreed with pyproject.toml, complete."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gammastar.mandate import Mandate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.project.conftest import Tree

PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+))?")
COMPILED = ("runtime", "dev", "docs")


def pins(text: str) -> set[tuple[str, str, str]]:
    """Return (name, version, marker) of each pin."""
    found = (PIN.match(line) for line in text.splitlines())
    return {(canonicalize_name(pin["name"]), pin["version"], (pin["marker"] or "").strip()) for pin in found if pin}


@pytest.fixture(scope="module")
def pyproject(tree: Tree) -> dict[str, Any]:
    return tomllib.loads(tree.text("pyproject.toml"))


@pytest.mark.parametrize("compiled", COMPILED)
def test_every_pin_has_hashes_and_no_file_records_an_address(tree: Tree, compiled: str) -> None:
    text = tree.text(f"requirements/{compiled}.txt")
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(entries) > 10
    for entry in entries:
        assert PIN.match(entry), entry
        assert "--hash=sha256:" in entry, entry
    assert not re.search(r"https?:|file:|--index|--find-links|@ ", text)


def test_the_three_files_never_pin_one_package_twice(tree: Tree) -> None:
    dev, runtime, docs = (pins(tree.text(f"requirements/{name}.txt")) for name in ("dev", "runtime", "docs"))
    assert runtime <= dev
    assert runtime <= docs
    developed = {name for name, _, _ in dev}
    assert {pin for pin in docs if pin[0] in developed} <= dev


def test_the_pins_are_what_pyproject_asks_for(tree: Tree, pyproject: dict[str, Any]) -> None:
    asked = {name: pyproject["dependency-groups"][name] for name in ("build", "test", "lint")}
    wanted = {"dev": [*pyproject["project"]["dependencies"], *asked["build"], *asked["test"], *asked["lint"]]}
    wanted["runtime"] = pyproject["project"]["dependencies"]
    wanted["docs"] = pyproject["dependency-groups"]["docs"]
    for compiled, requirements in wanted.items():
        pinned = pins(tree.text(f"requirements/{compiled}.txt"))
        for requirement in map(Requirement, requirements):
            versions = {version for name, version, _ in pinned if name == canonicalize_name(requirement.name)}
            assert versions, f"{requirement} is not in requirements/{compiled}.txt: run `make lock`"
            assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_the_wheel_holds_every_file_of_the_package(tree: Tree, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=tree.root, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    written = {file.relative_to("src").as_posix() for file in tree.files if file.parts[:2] == ("src", "gammastar")}
    assert inside == written
    assert "gammastar/py.typed" in inside
    assert licences


def test_the_example_mandates_load_and_differ(tree: Tree) -> None:
    files = [tree.root / file for file in tree.matching("examples/mandates/*.toml")]
    assert {"us-enhanced-index.toml", "us-enhanced-index-classic.toml", "us-diversity-weighted.toml"} <= {file.name for file in files}
    mandates = [Mandate.load(file) for file in files]
    assert len({mandate.fingerprint for mandate in mandates}) == len({mandate.name for mandate in mandates}) == len(files)
