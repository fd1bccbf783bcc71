"""Opens the identity provider that a profile names; only that provider's module is imported."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

from custctl.support.errors import RefusedError

if TYPE_CHECKING:
    from custctl.identity.accounts.provider import Provider
    from custctl.profiles import Identity, Profile
    from custctl.profiles.credentials import Secret


class Opener(Protocol):
    """The signature of `open_provider` in each provider's module."""

    def __call__(self, settings: Identity, secret: Secret | None, timeout: float) -> Provider:
        """Open the provider, without sending a request yet.

        Args:
            settings: the profile's `identity`.
            secret: the secret of the profile's client; None if the provider finds its own credentials.
            timeout: seconds for one request.

        Raises:
            UsageError: a setting is wrong, or a package is missing.
        """


_MODULES = {
    "scim": "custctl.identity.accounts.scim",
    "cognito": "custctl.identity.accounts.cognito",
    "auth0": "custctl.identity.accounts.auth0",
}


def require_provider(profile: Profile) -> None:
    """Ensure that the profile has an identity provider.

    Raises:
        RefusedError: the profile's passwords are in its own database.
    """
    if profile.identity.is_local:
        raise RefusedError(
            f"profile `{profile.name}` has no identity provider: passwords are kept in {profile.location}",
            hint="`identity: {provider: scim, url: https://…}` in the profile names one",
        )


def open_provider(profile: Profile, environ: Mapping[str, str]) -> Provider:
    """Open a profile's provider.

    Raises:
        RefusedError: the profile has no provider.
        CredentialError: the secret is missing or cannot be read.
        UsageError: a setting is wrong, or a package is missing.
    """
    from custctl.profiles.credentials import Purpose, find_credential

    require_provider(profile)
    identity = profile.identity
    secret = find_credential(profile, environ, Purpose.IDENTITY).secret
    module = importlib.import_module(_MODULES[identity.provider])
    return cast("Opener", module.open_provider)(identity, secret, identity.timeout)
