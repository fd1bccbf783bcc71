"""Opening the identity provider that a profile names; the module of each is loaded only for it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

from custctl.support.errors import RefusedError

if TYPE_CHECKING:
    from custctl.accounts.provider import Provider
    from custctl.profiles import Identity, Profile
    from custctl.profiles.credentials import Secret


class Opener(Protocol):
    """What the module of each provider has as `open_provider`."""

    def __call__(self, settings: Identity, secret: Secret | None, timeout: float) -> Provider:
        """Open the provider; it is asked nothing yet.

        Args:
            settings: the profile's `identity`.
            secret: of the profile's client; None where the provider has credentials of its own.
            timeout: seconds for one request.

        Raises:
            UsageError: a setting is wrong, or a package is missing.
        """


_MODULES = {
    "scim": "custctl.accounts.scim",
    "cognito": "custctl.accounts.cognito",
    "auth0": "custctl.accounts.auth0",
}


def require_provider(profile: Profile) -> None:
    """Refuse what only a profile with an identity provider can do.

    Raises:
        RefusedError: its accounts are in its own database.
    """
    if profile.identity.is_local:
        raise RefusedError(
            f"profile `{profile.name}` has no identity provider: passwords are kept in {profile.location}",
            hint="`identity: {provider: scim, url: https://…}` in the profile names one",
        )


def open_provider(profile: Profile, environ: Mapping[str, str]) -> Provider:
    """Open the provider of a profile.

    Raises:
        RefusedError: it has none.
        CredentialError: its secret is missing or cannot be read.
        UsageError: a setting is wrong, or a package is missing.
    """
    from custctl.profiles.credentials import Purpose, find_credential

    require_provider(profile)
    identity = profile.identity
    secret = find_credential(profile, environ, Purpose.IDENTITY).secret
    module = importlib.import_module(_MODULES[identity.provider])
    return cast("Opener", module.open_provider)(identity, secret, identity.timeout)
