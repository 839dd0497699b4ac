"""Binder: repo2docker takes the repository, and its install steps lead to a lab that works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".*venv*", ".*_cache", ".jupyter", ".hypothesis", "__pycache__", "dist", "node_modules"
)
INSTALL = 'pip install --no-cache-dir -r "binder/requirements.txt"'


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree as Binder gets it: without git, without what was set up here."""
    copy = tmp_path_factory.mktemp("binder") / "checkout"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    return copy


def run(words: Sequence[str | Path], folder: Path) -> str:
    """What a command prints; its errors where it fails."""
    done = attempt(words, folder)
    assert done.returncode == 0, f"{words} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def attempt(words: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """What became of a command; the tools of this environment come first on its PATH."""
    # Binder has no such variables, and they would put our package where its own must be.
    ours = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    ours["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = list(map(str, words))
    return subprocess.run(command, cwd=folder, env=ours, capture_output=True, text=True, check=False)


def binders_python() -> str:
    """The version of Python that Binder is asked for."""
    return (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")


def image_version(package: str) -> str:
    """The version of a package in the image that Binder starts from."""
    spec = find_spec("repo2docker")
    assert spec is not None, "jupyter-repo2docker is not installed"
    assert spec.origin is not None
    buildpack = Path(spec.origin).parent / "buildpacks" / "conda"
    lock = buildpack / f"environment.py-{binders_python()}-linux-64.lock"
    found = re.search(rf"/{package}-(\d[\d.]*)-", lock.read_text(encoding="utf-8"))
    assert found, f"repo2docker's image has no {package}"
    return found[1]


def test_repo2docker_renders_a_dockerfile_that_installs_this_package(checkout: Path) -> None:
    dockerfile = run(["jupyter-repo2docker", "--no-build", "--no-run", "--debug", "."], checkout)
    assert "environment-2epy-2d3-2e12" in dockerfile, "binder/runtime.txt does not choose Python 3.12"
    copied = dockerfile.index("COPY --chown=0:0 src/ ${REPO_DIR}/")
    assert INSTALL in dockerfile[copied:], (
        "the package is installed before its source is there, or not at all"
    )


def environment(folder: Path) -> Path:
    """A fresh environment with Binder's Python where this machine has it, else with ours; its Python."""
    wanted = binders_python()
    here = attempt(["uv", "python", "find", "--no-python-downloads", "--no-project", wanted], folder.parent)
    version = wanted if here.returncode == 0 else sys.executable
    run(["uv", "venv", "--quiet", "--no-python-downloads", "--python", version, folder], folder.parent)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def installed(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the image's JupyterLab, in which Binder's steps were walked."""
    folder = tmp_path_factory.mktemp("image")
    python = environment(folder / "image")
    install: list[str | Path] = ["uv", "pip", "install", "--quiet", "--python", python]
    image = [f"{package}=={image_version(package)}" for package in ("jupyterlab", "notebook")]
    run([*install, *image], folder)
    run([*install, "-r", "binder/requirements.txt"], checkout)
    assert not (checkout / "binder" / "postBuild").exists(), "there is no step here for binder/postBuild"
    return python


def test_binders_install_steps_keep_its_jupyterlab(installed: Path, tmp_path: Path) -> None:
    assert run([installed, "-m", "jupyterlab", "--version"], tmp_path).strip() == image_version("jupyterlab")


def test_binder_gets_every_file_of_the_package(installed: Path, checkout: Path, tmp_path: Path) -> None:
    where = run([installed, "-c", "import calamity_lab; print(calamity_lab.__file__)"], tmp_path)
    package = Path(where.strip()).parent
    assert package.is_relative_to(installed.parents[1]), "the package was not installed, it only lies there"
    assert shipped(package) == shipped(checkout / "calamity_lab")


def shipped(package: Path) -> set[str]:
    """The files of a package, Python and front end alike, without what Python made of them."""
    paths = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(package)) for path in paths}


def test_binders_pins_are_those_that_the_tests_run_with() -> None:
    asked = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    stale = [line for line in asked if "==" in line and line not in pinned]
    assert not stale, f"binder/requirements.txt and constraints.txt differ: {stale}"
    assert ".[tutorials]" in asked
