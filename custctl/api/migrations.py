"""A database's schema: its scripts, their state, and seed data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from custctl.customers.operations import chosen_operation_id
from custctl.migrations.run import Listener, Run

if TYPE_CHECKING:
    from custctl.api.opened import Opened
    from custctl.migrations.baseline import Adoption
    from custctl.migrations.journal import Record
    from custctl.migrations.pseudonymising import Pseudonymised
    from custctl.migrations.repair import Repair
    from custctl.migrations.runner import Request
    from custctl.migrations.seeding import Seeded
    from custctl.migrations.status import Status
    from custctl.migrations.validation import Problem

LOCK_TIMEOUT = 300.0
"""Default seconds to wait for another run."""


class Migrations:
    """One database's migrations.

    Calls that change something raise `RefusedError` if the database's stamp is another environment's.

    Args:
        opened: the profile.

    Raises:
        UsageError: the given folder of SQL scripts does not exist.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._profile = opened.profile
        self._sql_dir = opened.sql_dir

    # -- looking -----------------------------------------------------------------------------------

    def status(self) -> Status:
        """Return what is applied, pending, drifted or missing."""
        from custctl.migrations.status import read_status

        return read_status(self._opened.database, self._sql_dir, self._profile.environment)

    def validate(self) -> list[Problem]:
        """Check the scripts against the journal and with the linter, and return the problems."""
        from custctl.migrations.validation import validate

        return validate(self._opened.database, self._sql_dir, self._profile.environment)

    # -- applying ----------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Wait for a database that is still starting.

        Raises:
            UnavailableError: the database does not answer in time.
        """
        self._opened.wait(seconds)

    def plan(
        self,
        *,
        target: int | None = None,
        allow_out_of_order: bool = False,
        expand_only: bool = False,
        listener: Listener | None = None,
    ) -> Run:
        """Return what `apply` would do now, in `planned`, and the versions before and after, without changing anything.

        Args:
            target: the number of the last script to apply.
            allow_out_of_order: also apply pending scripts below the newest applied one.
            expand_only: leave the scripts of the contract release pending.
            listener: receives the linter's findings.

        Raises:
            MigrationError: drift, an out-of-order number, or a script that cannot run.
            RefusedError: a standby, another environment's stamp, or no stamp.
            UsageError: no script has the target's number.
        """
        from custctl.migrations.runner import migrate

        request = self._request(
            target, LOCK_TIMEOUT, allow_out_of_order=allow_out_of_order, expand_only=expand_only, dry_run=True
        )
        return migrate(self._opened.database, request, listener or Listener())

    def apply(
        self,
        *,
        target: int | None = None,
        allow_out_of_order: bool = False,
        expand_only: bool = False,
        lock_timeout: float = LOCK_TIMEOUT,
        listener: Listener | None = None,
    ) -> Run:
        """Apply each pending script once, in order, under a lock; `applied` lists what was done.

        Args:
            target: the number of the last script to apply.
            allow_out_of_order: also apply pending scripts below the newest applied one.
            expand_only: leave the scripts of the contract release pending.
            lock_timeout: seconds to wait for another run.
            listener: receives events of the run.

        Raises:
            MigrationError: a script failed; those before it stay applied. Or as `plan`.
            RefusedError: as `plan`.
            UnavailableError: the lock was not free in time, or the connection was lost.
            OutcomeUnknownError: it is unknown whether a script was applied.
        """
        from custctl.migrations.runner import migrate

        request = self._request(
            target, lock_timeout, allow_out_of_order=allow_out_of_order, expand_only=expand_only, dry_run=False
        )
        # A script may change customers.
        with self._opened.writing_many():
            return migrate(self._opened.database, request, listener or Listener())

    def _request(
        self, target: int | None, lock_timeout: float, *, allow_out_of_order: bool, expand_only: bool, dry_run: bool
    ) -> Request:
        from custctl.migrations.runner import Request

        return Request(
            sql_dir=self._sql_dir,
            environment=self._profile.environment,
            actor=self._opened.actor,
            target=target,
            allow_out_of_order=allow_out_of_order,
            lock_timeout=lock_timeout,
            dry_run=dry_run,
            expand_only=expand_only,
        )

    # -- adopting and repairing --------------------------------------------------------------------

    def plan_baseline(self, version: int) -> Adoption:
        """Return the scripts that a baseline would record as applied, compared with the database.

        Raises:
            UsageError: no script has this number.
            MigrationError: there already is a journal, or there is nothing to adopt.
        """
        from custctl.migrations.baseline import plan_baseline

        return plan_baseline(self._opened.database, self._sql_dir, version)

    def script_for(self, adoption: Adoption) -> str:
        """Return a script that closes the gap found by the comparison."""
        from custctl.migrations.gap import script_for

        return script_for(self._opened.database, adoption.comparison)

    def baseline(
        self, adoption: Adoption, *, lock_timeout: float = LOCK_TIMEOUT, listener: Listener | None = None
    ) -> None:
        """Adopt a database that already has the schema: record scripts as applied without running them, and stamp it.

        Args:
            adoption: the result of `plan_baseline`.
            lock_timeout: seconds to wait for another run.
            listener: receives events of the run.

        Raises:
            MigrationError: the database differs from what the scripts create.
        """
        from custctl.migrations.baseline import baseline

        baseline(
            self._opened.database,
            adoption.scripts,
            environment=self._profile.environment,
            actor=self._opened.actor,
            operation_id=chosen_operation_id(None),
            lock_timeout=lock_timeout,
            listener=listener or Listener(),
        )

    def plan_undo_baseline(self) -> tuple[Record, ...]:
        """Return the journal's records of an adoption that can be undone.

        Raises:
            MigrationError: there is no journal.
            RefusedError: something was applied after the adoption, or the stamp is another environment's.
        """
        from custctl.migrations.baseline import plan_undo

        return plan_undo(self._opened.database, self._profile.environment)

    def undo_baseline(
        self, *, lock_timeout: float = LOCK_TIMEOUT, listener: Listener | None = None
    ) -> tuple[Record, ...]:
        """Undo an adoption, if nothing was applied after it; the database is then as before.

        Args:
            lock_timeout: seconds to wait for another run.
            listener: receives events of the run.

        Raises:
            MigrationError: as `plan_undo_baseline`.
            RefusedError: as `plan_undo_baseline`.
        """
        from custctl.migrations.baseline import undo

        with self._opened.writing_many():
            return undo(
                self._opened.database,
                environment=self._profile.environment,
                lock_timeout=lock_timeout,
                listener=listener or Listener(),
            )

    def plan_repair(self, environment: str | None = None) -> Repair:
        """Return what to repair, without changing anything.

        Args:
            environment: the profile's environment, to stamp a restored database with it.

        Raises:
            MigrationError: there is no journal.
            RefusedError: a standby, or another environment's stamp.
            UsageError: the environment is not the profile's.
        """
        from custctl.migrations.repair import check_stamp, plan_repair

        if environment is not None:
            check_stamp(environment, self._profile)
        return plan_repair(
            self._opened.database,
            self._sql_dir,
            environment=self._profile.environment,
            restamp=environment is not None,
        )

    def repair(
        self,
        planned: Repair,
        *,
        operation_id: str | None = None,
        lock_timeout: float = LOCK_TIMEOUT,
        listener: Listener | None = None,
        pseudonymise: bool = False,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> Pseudonymised | None:
        """Carry out a repair in one transaction; then, if requested, replace personal data in the database.

        Args:
            planned: the result of `plan_repair`.
            pseudonymise: whether to replace names, emails, phones, companies, addresses and personal own fields with
                made-up values, and to erase passwords and the audit's values; a killed call resumes.
            on_progress: called with the number of customers replaced so far.
            operation_id: the UUID under which the audit records it; by default a new one.
            lock_timeout: seconds to wait for another run.
            listener: receives events of the run.

        Raises:
            ConflictError: another request used the operation id.
            MigrationError: the database has changed since the repair was planned.
        """
        from custctl.migrations.pseudonymising import pseudonymise as replace_personal_data
        from custctl.migrations.repair import check_pseudonymise, execute

        if pseudonymise:
            check_pseudonymise(self._profile.environment)
        database, operation_id = self._opened.database, chosen_operation_id(operation_id)
        listener = listener or Listener()
        # A restamped database has a new id; entries under its old id must not be read from the cache any more, either.
        with self._opened.writing_many():
            execute(
                database,
                planned,
                actor=self._opened.actor,
                operation_id=operation_id,
                lock_timeout=lock_timeout,
                listener=listener,
                pseudonymise=pseudonymise,
            )
            if not pseudonymise:
                return None
            with database.migration_lock(lock_timeout, listener.waiting):
                return replace_personal_data(
                    database,
                    environment=self._profile.environment,
                    actor=self._opened.actor,
                    operation_id=operation_id,
                    on_progress=on_progress,
                )

    # -- seed data ---------------------------------------------------------------------------------

    def seed_sets(self, asked: Sequence[str] = ()) -> list[str]:
        """Return the sets to seed, each allowed by the profile and by its environment.

        Args:
            asked: the names of the sets; by default the profile's.

        Raises:
            RefusedError: the environment or the profile does not allow a set.
            UsageError: there is no such set.
        """
        from custctl.migrations.scripts import seed_sets
        from custctl.migrations.seeding import choose_sets

        available = list(seed_sets(self._sql_dir, self._opened.database.engine_name))
        return choose_sets(
            asked,
            allowed=self._profile.seed,
            available=available,
            environment=self._profile.environment,
            profile=self._profile.name,
        )

    def seed(
        self, sets: Sequence[str] = (), *, operation_id: str | None = None, listener: Listener | None = None
    ) -> Seeded:
        """Run new or changed seed scripts; a second run adds nothing.

        Args:
            sets: the names of the sets; by default the profile's.
            operation_id: the UUID under which the audit records it; by default a new one.
            listener: receives events of the run.

        Raises:
            RefusedError: as `seed_sets`; or the database's stamp is another environment's, or missing.
            UsageError: as `seed_sets`.
            MigrationError: a script failed.
        """
        from custctl.migrations.seeding import seed_scripts

        chosen = self.seed_sets(sets)
        with self._opened.writing_many():
            return seed_scripts(
                self._opened.database,
                self._sql_dir,
                chosen,
                environment=self._profile.environment,
                actor=self._opened.actor,
                operation_id=chosen_operation_id(operation_id),
                lock_timeout=LOCK_TIMEOUT,
                listener=listener or Listener(),
            )

    def seed_customers(
        self,
        count: int,
        *,
        random_seed: int = 1,
        operation_id: str | None = None,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> Seeded:
        """Add synthetic customers, only in development and test; existing ones stay unchanged.

        Args:
            count: how many synthetic customers there should be.
            random_seed: the same number creates the same customers.
            operation_id: the UUID under which the audit records it; by default a new one.
            on_progress: called after each batch with the number of customers handled.

        Raises:
            RefusedError: the environment is staging or production.
        """
        from custctl.migrations.seeding import seed_customers

        return seed_customers(
            self._opened.store,
            self._opened.database,
            count=count,
            random_seed=random_seed,
            actor=self._opened.actor,
            operation_id=chosen_operation_id(operation_id),
            on_progress=on_progress,
        )
