"""The Docker engines: one that builds, and one in a network of its own that stands for production."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline.machine import Failed, Place, cover_etc

HOST = "10.99.7.2"
"""The address of production, in a network namespace of its own."""

_HERE = "10.99.7.1"
_LINK = "custctl-prod"
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """Another machine, as far as network and /run go.

    Attributes:
        enter: what runs a program on it.
    """

    enter: tuple[str, ...]


def start_engine(place: Place, name: str, groups: str, *arguments: str, server: Server | None = None) -> None:
    """Start a Docker engine at its usual socket, and wait until it answers there.

    Args:
        name: a name for its folder.
        groups: the control group that its containers are in.
        arguments: more arguments of dockerd.
        server: the machine that it runs on; None for this one.
    """
    folder = place.folder / name
    folder.mkdir()
    enter = server.enter if server else ()
    command = [
        *enter, "dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid"),
        "--host", "unix:///var/run/docker.sock", "--iptables=false", "--ip6tables=false", "--bridge=none",
        "--cgroup-parent", f"/{groups}", *arguments,
    ]  # fmt: skip
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=place.environ, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    until = time.monotonic() + _PATIENCE
    while place.run(*enter, "docker", "info", expect=None).returncode:
        if process.poll() is not None or time.monotonic() > until:
            raise Failed(f"the engine does not start:\n{log.read_text()[-4000:]}")
        time.sleep(0.2)


def start_server(place: Place) -> Server:
    """Make another machine: a network that one link leads to, and a /run of its own."""
    process = subprocess.Popen(
        [
            "unshare",
            "--net",
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs -o mode=755 tmpfs /run && echo ready && exec sleep infinity",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise Failed("no namespace for the server")
    server = Server(("nsenter", "--net", "--mount", "--target", str(process.pid), "--"))
    cover_etc(place, "server-etc", server.enter)
    place.run(*server.enter, "rm", "-rf", "/etc/docker")
    place.run("ip", "link", "add", _LINK, "type", "veth", "peer", "name", "eth0", "netns", str(process.pid))
    place.run("ip", "address", "add", f"{_HERE}/30", "dev", _LINK)
    place.run("ip", "link", "set", _LINK, "up")
    for command in (f"address add {HOST}/30 dev eth0", "link set eth0 up", "link set lo up"):
        place.run(*server.enter, "ip", *command.split())
    return server


def make_certificates(place: Place) -> Path:
    """Make what both sides of TLS need, and the database's certificate.

    Returns:
        The folder for `DOCKER_CERT_PATH`, with the engine's certificate in it as well.
    """
    import trustme

    folder = place.folder / "certificates"
    folder.mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    engine = authority.issue_cert(HOST)
    client = authority.issue_cert("deploy")
    for name, made in (("engine", engine), ("", client)):
        made.private_key_pem.write_to_path(folder / f"{name}{'-' if name else ''}key.pem")
        made.cert_chain_pems[0].write_to_path(folder / f"{name}{'-' if name else ''}cert.pem")
    (folder / "database").mkdir()
    authority.issue_cert("postgresql").private_key_and_cert_chain_pem.write_to_path(folder / "database" / "server.pem")
    return folder


def start_sshd(place: Place, server: Server, root: Path) -> None:
    """Start an SSH server on the machine, which lets root in by a key, and a client that has this key.

    Args:
        server: the machine.
        root: where OpenSSH's packages are unpacked.
    """
    folder = place.folder / "ssh"
    folder.mkdir(mode=0o700)
    for key in ("host", "client"):
        place.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key))
    # Users as sshd wants them, in that machine's own /etc.
    accounts = Path("/etc/passwd").read_text()
    if "\nsshd:" not in accounts:
        accounts += "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
    (folder / "config").write_text(
        f"ListenAddress {HOST}\nHostKey {folder}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"PermitRootLogin prohibit-password\nAuthorizedKeysFile {folder}/client.pub\n"
        f"SetEnv PATH={place.environ['PATH']}\n"
    )
    for name, text in (("passwd", accounts), ("shadow", "root:*:20000::::::\n")):
        (folder / name).write_text(text)
        place.run(*server.enter, "cp", str(folder / name), f"/etc/{name}")
    place.run(*server.enter, "mkdir", "-p", "/run/sshd")
    with (folder / "log").open("wb") as stream:
        subprocess.Popen(
            [*server.enter, str(root / "usr/sbin/sshd"), "-D", "-e", "-f", str(folder / "config")],
            env=place.environ,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    programs = place.folder / "bin"
    (programs / "ssh").write_text(
        f"#!/bin/sh\nexec {root / 'usr/bin/ssh' if (root / 'usr/bin/ssh').exists() else '/usr/bin/ssh'}"
        f" -F none -i {folder}/client -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        ' "$@"\n'
    )
    os.chmod(programs / "ssh", 0o755)
    until = time.monotonic() + _PATIENCE
    while place.run("ssh", f"root@{HOST}", "docker", "info", expect=None).returncode:
        if time.monotonic() > until:
            raise Failed(f"the SSH server does not start:\n{(folder / 'log').read_text()[-4000:]}")
        time.sleep(0.2)
