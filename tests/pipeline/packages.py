"""Debian's packages, unpacked: nothing is installed on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tests.pipeline.machine import Place

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org/debian"
SUITE = "trixie"
"""The Debian that the base image is made of, as `python:3.13-slim` is, and that has Compose 2."""


def fetch(place: Place, name: str, packages: Sequence[str], *, suite: str | None = None) -> Path:
    """Fetch packages, with what they depend on and this machine lacks.

    Args:
        name: a name for the folder.
        packages: their names.
        suite: the release of Debian, without what packages depend on; None for this machine's.

    Returns:
        The folder that they are unpacked in.

    Raises:
        Failed: they are not to be had.
    """
    folder = place.folder / name
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    apt = [
        "apt-get",
        "-qq",
        "-o",
        f"Dir::Cache::archives={archives}",
        "-o",
        "APT::Sandbox::User=root",
        "-o",
        "Debug::NoLocking=1",
    ]
    if suite is None:
        command = [*apt, "--download-only", "--no-install-recommends", "--yes", "install", *packages]
        # What the machine knows of packages may be missing or old.
        if place.run(*command, expect=None).returncode:
            place.run(*apt, "update", expect=None)
            place.run(*command)
    else:
        (folder / "lists" / "partial").mkdir(parents=True)
        source = folder / "sources.list"
        source.write_text(f"deb [signed-by={KEYRING}] {MIRROR} {suite} main\n")
        for option in (
            f"Dir::Etc::sourcelist={source}",
            "Dir::Etc::sourceparts=-",
            f"Dir::State::lists={folder / 'lists'}",
        ):
            apt += ["-o", option]
        place.run(*apt, "update")
        place.run(*apt, "download", *packages, cwd=archives)
    root = folder / "root"
    for package in sorted(archives.glob("*.deb")):
        place.run("dpkg-deb", "--extract", str(package), str(root))
        package.unlink()
    return root


def fetch_engine(place: Place) -> Path:
    """Fetch Docker's engine, Compose and an SSH server, and put them on the place's PATH.

    Returns:
        The folder that they are unpacked in.
    """
    root = fetch(place, "debian", ["docker.io", "openssh-server", "rsync"])
    plugins = place.folder / "docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    newer = fetch(place, "newer", ["docker-compose", "docker-buildx"], suite=SUITE)
    for plugin in (newer / "usr/libexec/docker/cli-plugins").iterdir():
        (plugins / plugin.name).symlink_to(plugin)
    programs = place.folder / "bin"
    programs.mkdir()
    # The package's own installation makes these links; names in Compose's networks need them.
    for name in ("iptables", "ip6tables"):
        (programs / name).symlink_to(root / "usr/sbin" / f"{name}-nft")
    libraries = f"{root}/usr/lib/{os.uname().machine}-linux-gnu"
    place.environ |= {
        "PATH": ":".join([str(programs), f"{root}/usr/bin", f"{root}/usr/sbin", place.environ["PATH"]]),
        "LD_LIBRARY_PATH": libraries,
        "XTABLES_LIBDIR": f"{libraries}/xtables",
        "DOCKER_CONFIG": str(plugins.parent),
    }
    return root
