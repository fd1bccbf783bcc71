"""Auth0's bulk import of users with their password hashes.

Source: https://auth0.com/docs/manage-users/user-migration/bulk-user-imports and
https://auth0.com/docs/manage-users/user-migration/bulk-user-import-database-schema-and-examples
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from custctl.identity.accounts.asking import Reply, patiently, unclear
from custctl.identity.accounts.auth0_tenant import REFERENCE, Tenant, described, subject_of
from custctl.identity.accounts.hashes import Fate, HashedAccount, Verdict
from custctl.identity.accounts.provider import ProviderRefusedError, ProviderUnavailableError

LARGEST: Final = 480_000
"""Maximum bytes of one file; Auth0 accepts 500 KB for the whole request."""
MARK: Final = "custctl_hash"
"""The key in `app_metadata` that records which hash was imported."""

_LOOK_EVERY = 2.0  # seconds between two polls of a job
_JOB_ENDS = 7200.0  # seconds after which Auth0 ends a job


def fitting(accounts: Sequence[HashedAccount]) -> int:
    """Return how many of the accounts, from the first on, fit into one file."""
    size = 2
    for count, account in enumerate(accounts):
        size += len(_line(account)) + 1
        if size > LARGEST and count:
            return count
    return len(accounts)


def import_hashes(
    tenant: Tenant, accounts: Sequence[HashedAccount], wait: Callable[[float], None]
) -> dict[str, Verdict]:
    """Import accounts with their hashes in one job, and read its report.

    The file is built in memory and never written to disk. For a user that already exists, find out whether an earlier
    run imported it with this hash, it was created without a hash, or it belongs to somebody else.

    Raises:
        ProviderUnavailableError: Auth0 does not answer, or its report of the job is impossible.
        ProviderRefusedError: Auth0 refuses the file, or the whole job failed.
    """
    job = _start(tenant, b"[" + b",".join(_line(each) for each in accounts) + b"]", wait)
    summary = _finish(tenant, job, wait)
    failed = dict(_failures(tenant, job, wait))
    sure = summary == (len(accounts) - len(failed), len(failed))
    verdicts = {}
    for each in accounts:
        reference = each.account.reference
        reason = failed.get(reference)
        if reason is None and sure:
            verdicts[reference] = Verdict(Fate.TAKEN, subject_of(reference))
        else:
            # The report says that the user exists, or it does not add up: look the user up.
            verdicts[reference] = _look(tenant, each, reason, wait)
    return verdicts


def _line(each: HashedAccount) -> bytes:
    user = described(each.account)
    user["app_metadata"] = {**user["app_metadata"], MARK: each.mark}
    user["custom_password_hash"] = {"algorithm": "argon2", "hash": {"value": each.hash, "encoding": "utf8"}}
    return json.dumps(user, ensure_ascii=False, separators=(",", ":")).encode()


def _start(tenant: Tenant, file: bytes, wait: Callable[[float], None]) -> str:
    """Start a job and return its id; Auth0 runs two jobs of a tenant at a time."""
    form = {"connection_id": patiently(tenant.connection_id, wait), "upsert": "false", "send_completion_email": "false"}
    files = {"users": ("users.json", file, "application/json")}
    reply = _patiently(tenant, wait, "POST", "jobs/users-imports", data=form, files=files)
    found = _expected(tenant, reply, 202)
    if not isinstance(found.get("id"), str):
        raise unclear(tenant.name, "no job as Auth0 documents it")
    return str(found["id"])


def _patiently(tenant: Tenant, wait: Callable[[float], None], method: str, path: str, **content: Any) -> Reply:
    """Send a request, and retry while Auth0 asks to wait: because of rate limits or other jobs."""
    return patiently(lambda: tenant.ask(method, path, **content), wait)


def _finish(tenant: Tenant, job: str, wait: Callable[[float], None]) -> tuple[int, int] | None:
    """Wait for a job to end, and return how many users it imported and how many it did not."""
    for _ in range(int(_JOB_ENDS / _LOOK_EVERY)):
        found = _expected(tenant, _patiently(tenant, wait, "GET", f"jobs/{job}"), 200)
        if found.get("status") == "completed":
            summary = found.get("summary")
            if not isinstance(summary, dict):
                return None
            return summary.get("inserted", -1), summary.get("failed", -1)
        if found.get("status") == "failed":
            message = f"{tenant.name} has failed at the import job `{job}`"
            raise ProviderRefusedError(message, hint="the tenant's log has the reason")
        if found.get("status") not in ("pending", "processing"):
            raise unclear(tenant.name, "no state of a job as Auth0 documents it")
        wait(_LOOK_EVERY)
    message = f"{tenant.name} has not finished the import job `{job}` within two hours"
    raise ProviderRefusedError(message, hint="look at the job at Auth0, then run `custctl identity migrate` again")


def _failures(tenant: Tenant, job: str, wait: Callable[[float], None]) -> Iterator[tuple[str, str]]:
    """Yield the reference of each user that was not imported, and the reason.

    The report quotes the hashes, so it is never shown.
    """
    reply = _patiently(tenant, wait, "GET", f"jobs/{job}/errors")
    if reply.status == 204:
        return
    if reply.status != 200 or not isinstance(reply.document, list):
        raise unclear(tenant.name, f"status {reply.status} and no report of a job")
    for each in reply.document:
        try:
            reference = each["user"]["app_metadata"][REFERENCE]
            codes = [f"{error['code']} ({error.get('path') or 'user'})" for error in each["errors"]]
        except (KeyError, TypeError):
            # It is about the whole job or an unknown user: the caller looks up the users that it counts.
            continue
        yield str(reference), ", ".join(codes)


def _look(tenant: Tenant, each: HashedAccount, reason: str | None, wait: Callable[[float], None]) -> Verdict:
    """Look up an account that a job did not import, or may not have imported."""
    reference = each.account.reference
    subject = subject_of(reference)
    user = patiently(lambda: tenant.read(subject), wait)
    metadata = user.get("app_metadata") if user is not None else None
    if not isinstance(metadata, dict) or metadata.get(REFERENCE) != reference:
        if reason is None:
            message = f"the report of {tenant.name} on an import job does not add up, and a user is not there"
            raise ProviderUnavailableError(message, hint="run it again")
        if "DUPLICATED_USER" in reason:
            reason = "another account has this email"
        return Verdict(Fate.REFUSED, reason=reason)
    taken = metadata.get(MARK) == each.mark
    return Verdict(Fate.TAKEN if taken else Fate.WITHOUT_HASH, subject)


def _expected(tenant: Tenant, reply: Reply, status: int) -> Mapping[str, Any]:
    if reply.status != status:
        raise tenant.refused(reply)
    if not isinstance(reply.document, dict):
        raise unclear(tenant.name, "no job as Auth0 documents it")
    return reply.document
