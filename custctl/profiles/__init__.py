"""Profiles: the environment that a command works on, read from `profiles/<name>.yaml` and validated strictly.

profile = load_profile("dev", profiles_dir=None, environ=os.environ, cwd=Path.cwd())
profile.location    # sqlite /srv/app/customers-dev.db
"""

from __future__ import annotations

from custctl.profiles.model import (
    Accounts,
    Auth,
    Cache,
    Database,
    Driver,
    Environment,
    Identity,
    Node,
    OnDelete,
    Profile,
    Reads,
    Replication,
    Setting,
    Tls,
)
from custctl.profiles.search import ProfileEntry, find_profiles, load_profile, profile_names

__all__ = [
    "Accounts",
    "Auth",
    "Cache",
    "Database",
    "Driver",
    "Environment",
    "Identity",
    "Node",
    "OnDelete",
    "Profile",
    "ProfileEntry",
    "Reads",
    "Replication",
    "Setting",
    "Tls",
    "find_profiles",
    "load_profile",
    "profile_names",
]
