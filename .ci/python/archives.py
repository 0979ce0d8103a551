"""Checks what is in the wheel and in the sdist of the Python client."""

from __future__ import annotations

import email
import pathlib
import sys
import tarfile
import zipfile

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "python/herald-client/src"


def main(folder: pathlib.Path) -> None:
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    sources = {path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*") if path.is_file()}
    sources = {name for name in sources if "__pycache__" not in name}
    check_wheel(wheel, sources)
    check_sdist(sdist, sources)
    print(f"{wheel.name} and {sdist.name} have {len(sources)} sources, both licences and the README")


def check_wheel(wheel: pathlib.Path, sources: set[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name for name in names if name.endswith(".dist-info/METADATA")).rpartition("/")[0]
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
    packaged = {name for name in names if not name.startswith(info)}
    assert packaged == sources, packaged ^ sources
    assert "herald_client/py.typed" in packaged
    assert {f"{info}/licenses/LICENSE-APACHE", f"{info}/licenses/LICENSE-MIT"} <= names
    assert metadata["License-Expression"] == "MIT OR Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert str(metadata.get_payload()).lstrip().startswith("# herald-client")


def check_sdist(sdist: pathlib.Path, sources: set[str]) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {f"src/{name}" for name in sources} | {"LICENSE-APACHE", "LICENSE-MIT", "README.md", "pyproject.toml"}
    assert wanted <= names, wanted - names
    assert not [name for name in names if name.startswith("dist/") or "__pycache__" in name]


main(pathlib.Path(sys.argv[1]))
