"""What a user installs: the files of the package, no others, and no dependency that is not declared."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from email import message_from_binary_file
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from trove_classifiers import classifiers

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("user_program.py")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source distribution and a wheel, which was built from the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "uv", "build", "--offline", "--no-build-isolation", "--out-dir", folder, ROOT)
    return folder


@pytest.fixture
def python(built: Path, tmp_path: Path) -> Path:
    """The interpreter of a new environment that has the wheel and nothing else."""
    uv = [sys.executable, "-m", "uv"]
    run(*uv, "venv", "--offline", "--python", sys.executable, tmp_path / "environment")
    python = tmp_path / "environment" / "bin" / "python"
    run(*uv, "pip", "install", "--offline", "--no-deps", "--python", python, *built.glob("*.whl"))
    return python


def test_the_wheel_has_every_file_of_the_package_and_no_other(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == set(tracked("calamity_lab"))
    assert "calamity_lab/py.typed" in names


def test_the_source_distribution_has_all_that_its_tests_need(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert names - {"PKG-INFO"} == set(tracked("."))


def test_the_package_runs_with_nothing_but_its_declared_dependencies(python: Path, tmp_path: Path) -> None:
    link_dependencies(python.parents[1])
    where = run(python, "-I", "-W", "error", "-c", "import calamity_lab; print(calamity_lab.__file__)")
    assert Path(where.strip()).is_relative_to(python.parents[1])
    run(python, "-I", PROGRAM, tmp_path)


def test_a_strict_type_checker_knows_the_types_of_an_installed_package(python: Path, tmp_path: Path) -> None:
    # Away from the repository, whose own files it would find before those that are installed.
    program = shutil.copy(PROGRAM, tmp_path)
    options = ["--strict", "--config-file=", "--python-executable", python, "--cache-dir", tmp_path]
    said = run(sys.executable, "-m", "mypy", *options, program)
    assert said.startswith("Success"), said


def test_all_classifiers_are_known_and_there_is_one_for_each_python(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        (name,) = [name for name in opened.getnames() if name.endswith("/PKG-INFO")]
        metadata = message_from_binary_file(opened.extractfile(name))
    given = set(metadata.get_all("Classifier", []))
    assert given <= classifiers
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in range(11, 15)} <= given


def run(*words: object) -> str:
    """What a command prints; a command that fails fails the test, with all that it said."""
    ended = subprocess.run([str(word) for word in words], cwd=ROOT.parent, capture_output=True, text=True)
    assert ended.returncode == 0, f"{ended.args}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def tracked(folder: str) -> Iterator[str]:
    """The files of the repository in a folder, those too that are not committed yet."""
    listed = run(
        "git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-per-directory=.gitignore", folder
    )
    return (name for name in listed.splitlines() if (ROOT / name).exists())


def link_dependencies(environment: Path) -> None:
    """Show an environment the installed distributions that the package declares, and those they declare."""
    (site_packages,) = environment.rglob("site-packages")
    for found in dependencies().values():
        for path in found.files or ():
            link = site_packages / path.parts[0]
            if path.parts[0] not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(found.locate_file(path.parts[0]))


def dependencies() -> Mapping[str, Distribution]:
    """What the package needs without any extra, and what that needs."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement("calamity-lab")]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name not in found:
            found[name] = distribution(wanted.name)
            needs = [Requirement(text) for text in found[name].requires or ()]
            waiting += [need for need in needs if applies(need, wanted.extras)]
    del found["calamity-lab"]
    return found


def applies(need: Requirement, extras: set[str]) -> bool:
    """Whether a requirement holds here, with these extras."""
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))
