"""moto's server, which plays Amazon Cognito: a real process. It is softer than AWS; see tests/servers/pools.py."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import httpx

from tests.servers.ports import free_port

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
"""The environment of who speaks to it; it takes every credential."""


class Moto:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def client(self) -> Any:
        """AWS's own client for it."""
        keys = {name.lower(): value for name, value in CREDENTIALS.items()}
        return boto3.client("cognito-idp", region_name="eu-west-1", endpoint_url=self.url, **keys)

    def pool(self, **options: Any) -> str:
        """Make a user pool and return its id; users sign in with their email, unless told otherwise."""
        schema = [{"Name": "custctl_reference", "AttributeDataType": "String", "Mutable": True}]
        settings = {
            "UsernameAttributes": ["email"],
            "UsernameConfiguration": {"CaseSensitive": False},
            "Schema": schema,
            **options,
        }
        made = self.client.create_user_pool(PoolName="customers", **settings)
        return str(made["UserPool"]["Id"])


@contextmanager
def running() -> Iterator[Moto]:
    """Run a server until the end; it ends with its parent's pipe, too."""
    port = free_port()
    program = (
        "import os, sys, threading\n"
        "threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()\n"
        f"from moto.server import main; main(['-p', '{port}'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 120
        while True:
            try:
                httpx.get(f"{url}/moto-api/", timeout=5)
                break
            except httpx.HTTPError:
                assert process.poll() is None, "moto has ended"
                assert time.monotonic() < end, "moto does not start"
                time.sleep(0.1)
        yield Moto(url)
    finally:
        process.kill()
        process.communicate()
