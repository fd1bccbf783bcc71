"""Uses the system keyring so that it can neither hang, prompt, nor be a plain text file.

A keyring runs in its own thread with a time limit, and only backends that protect secrets are used: merely installing
`keyrings.alt` or `keyrings.cryptfile` would make `keyring` choose a plain text file if there is no better backend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from custctl.support.errors import CredentialError
from custctl.support.text import visible

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

KEYRING_LIMIT = 2.5
"""The keyring's time limit in seconds. With Python's own start, a command takes at most three."""


_BACKENDS = (
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.kwallet.DBusKeyringKWallet4",
    "keyring.backends.libsecret.Keyring",
    "keyring.backends.macOS.Keyring",
    "keyring.backends.Windows.WinVaultKeyring",
)
_CHAINER = "keyring.backends.chainer.ChainerBackend"
_NO_KEYRING = ("keyring.backends.fail.Keyring", "keyring.backends.null.Keyring")
# Plain text, or a cipher whose key must be typed on a terminal.
_REFUSED_PACKAGES = ("keyrings.alt", "keyrings.cryptfile", "sagecipher")

_UNLOCK = "unlock it"

Answer = TypeVar("Answer")


def with_keyring(act: Callable[[KeyringBackend], Answer], environ: Mapping[str, str], otherwise: str) -> Answer:
    """Return the result of `act` with the keyring, within `KEYRING_LIMIT`.

    Args:
        otherwise: the alternative on a machine without one; it ends each error's hint.

    Raises:
        CredentialError: there is no usable keyring, it is locked, it failed or it did not respond.
    """
    import threading

    # Before the time starts: on a busy machine, the import alone may take as long as the limit.
    import keyring.core  # noqa: F401

    answers: list[Answer] = []
    errors: list[CredentialError] = []

    def run() -> None:
        try:
            answers.append(act(_backend(environ)))
        except CredentialError as error:
            errors.append(error)
        except BaseException as error:  # noqa: BLE001 - a backend may raise anything, with the password in the text
            errors.append(_translated(error))

    # A daemon thread: if it hangs in the keyring, the process can still end.
    thread = threading.Thread(target=run, name="keyring", daemon=True)
    thread.start()
    thread.join(KEYRING_LIMIT)
    if answers:
        return answers[0]
    error = errors[0] if errors else CredentialError("the keyring did not respond; it is probably locked", hint=_UNLOCK)
    error.hint = f"{error.hint}; {otherwise}" if error.hint else otherwise
    raise error


def _translated(error: BaseException) -> CredentialError:
    """Return the error for a backend's failure, judging by its class names: its text cannot be trusted."""
    names = [kind.__name__ for kind in type(error).__mro__]
    if "NoKeyringError" in names:
        return _absent()
    # secretstorage reports a lock with its own classes; keyring wraps some of them as InitError.
    if any("Locked" in name or name in ("InitError", "PromptDismissedException") for name in names):
        return _locked()
    return CredentialError(f"the keyring failed ({names[0]})")


def _absent() -> CredentialError:
    return CredentialError("no system keyring found")


def _locked() -> CredentialError:
    return CredentialError("the keyring is locked", hint=_UNLOCK)


def _backend(environ: Mapping[str, str]) -> KeyringBackend:
    """Return the keyring to use: the user's choice, or the best one that protects secrets."""
    import keyring.core

    named = environ.get("PYTHON_KEYRING_BACKEND")
    try:
        # `keyringrc.cfg` is the other way to choose one.
        backend = keyring.core.load_keyring(named) if named else keyring.core.load_config()
    except Exception as error:  # noqa: BLE001 - this imports whatever module is named
        asked = f"`{visible(named)}`" if named else "in `keyringrc.cfg`"
        message = f"the keyring backend {asked} cannot be loaded ({type(error).__name__})"
        raise CredentialError(message) from None
    backend = _best() if backend is None else backend
    _refuse_unfit(backend)
    _refuse_locked(backend)
    return backend


def _best() -> KeyringBackend:
    """Return the allowed backend with the highest priority, without loading other installed backends.

    keyring's own search loads them, and chooses a plain text backend if there is no other.
    """
    import importlib

    usable: list[tuple[float, Any]] = []
    for path in _BACKENDS:
        module, _, name = path.rpartition(".")
        try:
            kind = getattr(importlib.import_module(module), name)
            # In keyring, reading the priority checks whether the backend works here.
            usable.append((float(kind.priority), kind))
        except Exception:  # noqa: BLE001, S112 - a missing library, bus or service: try the next
            continue
    if not usable:
        raise _absent()
    backend: KeyringBackend = max(usable, key=lambda each: each[0])[1]()
    return backend


def _refuse_unfit(backend: KeyringBackend) -> None:
    """Reject a backend that is not a keyring or stores passwords in plain text, even if the user chose it."""
    path = f"{type(backend).__module__}.{type(backend).__qualname__}"
    if path in _NO_KEYRING:
        raise _absent()
    for kind in type(backend).__mro__:
        if kind.__module__.startswith(_REFUSED_PACKAGES):
            message = f"the keyring backend `{path}` stores passwords in plain text or prompts for one"
            raise CredentialError(message)
    if path == _CHAINER:
        for each in getattr(backend, "backends", ()):
            if f"{type(each).__module__}.{type(each).__qualname__}" not in _BACKENDS:
                _refuse_unfit(each)
                message = f"the keyring chain contains `{type(each).__module__}`, which is not known to keep secrets"
                raise CredentialError(message, hint="name one backend in `PYTHON_KEYRING_BACKEND`")


def _refuse_locked(backend: KeyringBackend) -> None:
    """Reject a locked Secret Service before it opens a prompt that nobody can answer in time."""
    if type(backend).__module__ != "keyring.backends.SecretService":
        return
    from contextlib import closing

    import secretstorage

    with closing(secretstorage.dbus_init()) as connection:
        try:
            # Not get_default_collection, which creates a missing collection and prompts for it.
            chosen = getattr(backend, "preferred_collection", None)
            collection = secretstorage.Collection(connection, *([chosen] if chosen else []))
        except secretstorage.ItemNotFoundException:
            message = "the keyring has no collection to store passwords in"
            raise CredentialError(message, hint="create one with your desktop's password manager") from None
        if collection.is_locked():
            raise _locked()
