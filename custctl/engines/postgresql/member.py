"""One node of a cluster with streaming replication, observed and controlled with SQL alone.

Source: https://www.postgresql.org/docs/current/functions-admin.html, monitoring-stats.html and warm-standby.html.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from custctl.engines.members import Attached, Observation, Role, StreamingMember, Upstream
from custctl.engines.postgresql import recording
from custctl.engines.postgresql.lag import LAG
from custctl.engines.postgresql.login_settings import reset_of
from custctl.engines.postgresql.pooling import require_session
from custctl.engines.postgresql.recording import MANAGERS, SETTLED, WAITS
from custctl.engines.postgresql.timeline import TIMELINE
from custctl.support.errors import CredentialError, OutcomeUnknownError, RefusedError, UnavailableError
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.engines.model import Node
    from custctl.engines.postgresql.connection import LimitedConnection
    from custctl.support.errors import CustctlError

_POLL = 0.01  # seconds between polls of what changes within milliseconds
_LOCK = "custctl/replication"
_FENCE = "default_transaction_read_only"
_TRIGGERS = "session_replication_role"

_OBSERVED = f"""
SELECT r.in_recovery,
       current_setting('{_FENCE}')::bool AS read_only,
       (SELECT system_identifier::text FROM pg_control_system()) AS cluster_id, pg_postmaster_start_time() AS started,
       CASE WHEN r.in_recovery
            THEN w.received_tli
            ELSE {TIMELINE} END AS timeline,
       CASE WHEN r.in_recovery
            THEN GREATEST(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
            ELSE pg_current_wal_flush_lsn() END - '0/0' AS position,
       CASE WHEN r.in_recovery THEN pg_last_wal_replay_lsn() - '0/0' END AS replayed,
       CASE WHEN r.in_recovery THEN {LAG} END AS lag,
       pg_last_xact_replay_timestamp() AS last_commit, clock_timestamp() AS now,
       w.pid IS NOT NULL AS receiving,
       w.sender_host, w.sender_port,
       w.latest_end_lsn - '0/0' AS reported,
       (SELECT setting FROM pg_settings WHERE name = 'primary_conninfo') AS conninfo,
       current_setting('cluster_name') AS cluster_name,
       current_setting('synchronous_standby_names') AS synchronous,
       {WAITS} AS waits_for_standbys,
       current_setting('synchronous_commit') = 'remote_apply' AS waits_for_replay,
       pg_conf_load_time() AS configured,
       r.in_recovery AND pg_is_wal_replay_paused() AS replay_paused,
       CASE WHEN r.in_recovery
            THEN (SELECT setting::bigint / 1000.0 FROM pg_settings WHERE name = 'recovery_min_apply_delay')
            ELSE 0 END AS apply_delay,
       (SELECT count(*) FROM pg_prepared_xacts) AS prepared,
       (SELECT min(application_name) FROM pg_stat_activity
         WHERE split_part(application_name, ' ', 1) = ANY (%s)) AS manager,
       (SELECT json_agg(json_build_array(application_name, sync_state, COALESCE(state, 'streaming') = 'streaming') ORDER BY application_name)
          FROM pg_stat_replication) AS attached
  FROM (SELECT pg_is_in_recovery() AS in_recovery) AS r
  LEFT JOIN pg_stat_wal_receiver AS w ON true
"""

# The control file keeps the old timeline long after a change; the WAL files show the new one at once. A login without
# pg_monitor may not even use the function in a statement.
_TIMELINE_BY_FILES = """
SELECT ('x' || max(substr(name, 1, 8)))::bit(32)::int FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'
"""

# The statements that grant the privileges this login lacks, on every supported release.
_RIGHTS = """
SELECT 'GRANT pg_monitor TO ' || quote_ident(current_user) WHERE NOT pg_has_role('pg_monitor', 'USAGE')
UNION ALL
SELECT 'GRANT pg_signal_backend TO ' || quote_ident(current_user) WHERE NOT pg_has_role('pg_signal_backend', 'USAGE')
UNION ALL
SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', f, current_user)
  FROM unnest(ARRAY['pg_promote(boolean,integer)', 'pg_reload_conf()']) AS f
 WHERE NOT has_function_privilege(f, 'EXECUTE')
UNION ALL
SELECT format('GRANT ALTER SYSTEM ON PARAMETER %s TO %I', p, current_user)
  FROM unnest(ARRAY['default_transaction_read_only', 'primary_conninfo', 'primary_slot_name',
                    'synchronous_standby_names']) AS p
 WHERE NOT has_parameter_privilege(p, 'ALTER SYSTEM')
"""

# The missing privileges to record the fork on the new primary; tables that do not exist need none.
_RIGHTS_TO_RECORD = """
SELECT format('GRANT %%s ON %%I.%%I TO %%I', privilege, %(schema)s::text, name, current_user)
  FROM (VALUES ('custctl_metadata', 'INSERT'), ('custctl_metadata', 'DELETE'), ('customer_audit', 'INSERT'))
       AS needed(name, privilege)
 WHERE NOT has_table_privilege(to_regclass(format('%%I.%%I', %(schema)s::text, name)), privilege)
"""

# What could still write: transactions with an id, and sessions from before the fence that are still being terminated or
# are inside a transaction. A login that may not terminate superusers' sessions leaves them alone and reports them.
_END_SESSIONS = """
SELECT count(pg_terminate_backend(a.pid)) FILTER (WHERE mine.rolsuper OR NOT theirs.rolsuper) AS ended,
       count(*) FILTER (WHERE a.backend_start < %(fenced)s AND (mine.rolsuper OR NOT theirs.rolsuper)) AS ending,
       count(*) FILTER (WHERE theirs.rolsuper AND NOT mine.rolsuper) AS left,
       count(*) FILTER (WHERE theirs.rolsuper AND NOT mine.rolsuper AND a.xact_start < %(fenced)s) AS open
  FROM pg_stat_activity AS a
  JOIN pg_roles AS mine ON mine.rolname = current_user
  JOIN pg_roles AS theirs ON theirs.oid = a.usesysid
 WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
"""
_WRITING = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
_EXEMPT = f"""
SELECT DISTINCT COALESCE('role ' || quote_ident(r.rolname), 'database ' || quote_ident(d.datname)) AS exempt
  FROM pg_db_role_setting AS s
  LEFT JOIN pg_roles AS r ON r.oid = s.setrole
  LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
 WHERE EXISTS (SELECT FROM unnest(s.setconfig) AS c WHERE c ILIKE '{_FENCE}=%' AND c !~* '=(on|true|yes|1)$')
 ORDER BY 1
"""


class PostgresqlMember(StreamingMember):
    """A connection to one node.

    Args:
        dial: makes another connection to the same node.
        translate: converts a driver's error to a `CustctlError`.
        schema: the schema of custctl's tables.
        patience: seconds to wait for an answer.
    """

    def __init__(
        self,
        node: Node,
        dial: Callable[[], LimitedConnection],
        translate: Callable[[psycopg.Error], CustctlError],
        schema: str,
        patience: float,
    ) -> None:
        self.node = node
        self._dial_again = dial
        self._translate = translate
        self._schema = schema
        self._patience = patience
        self._driver = dial()
        self._driver.patience = patience

    def close(self) -> None:
        self._driver.close()

    # -- asking ------------------------------------------------------------------------------------

    def _ask(self, query: Any, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        try:
            with self._driver.cursor(row_factory=dict_row) as cursor:
                cursor.execute(query, values or None)
                return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise self._translate(error) from None

    def _value(self, query: Any, values: Sequence[Any] = ()) -> Any:
        return next(iter(self._ask(query, values)[0].values()))

    def observe(self) -> Observation:
        seen = self._ask(_OBSERVED, (list(MANAGERS),))[0]
        standby = seen["in_recovery"]
        conninfo = conninfo_to_dict(seen["conninfo"]) if standby and seen["conninfo"] else {}
        known = self._known()
        manager = (seen["manager"] or "").split(" ")[0]
        return Observation(
            role=Role.STANDBY if standby else Role.PRIMARY,
            writable=not standby and (not seen["read_only"] or self._reset_of(_FENCE) is not None),
            cluster_id=seen["cluster_id"],
            # Standbys share the system identifier; no two servers of a cluster start in the same microsecond.
            server=f"{seen['cluster_id']} {seen['started'].timestamp()}",
            timeline=seen["timeline"] or self._timeline_by_files(),
            database_id=known.get("database_id"),
            environment=known.get("environment"),
            epoch=int(known["epoch"]) if known.get("epoch", "").isdigit() else None,
            fork=known.get("fork"),
            recorded_synchronous=known.get("synchronous"),
            recorded_at=_moment(known.get("synchronous_at")),
            configured=seen["configured"],
            position=int(seen["position"]) if seen["position"] is not None else None,
            replayed=int(seen["replayed"]) if seen["replayed"] is not None else None,
            lag=float(seen["lag"]) if seen["lag"] is not None else None,
            last_commit=seen["last_commit"],
            now=seen["now"],
            receiving=seen["receiving"],
            source=f"{seen['sender_host']}:{seen['sender_port']}" if seen["sender_host"] else None,
            reported=int(seen["reported"]) if seen["reported"] is not None else None,
            # In libpq's order: the connection's setting, then the server's own name.
            name=str(conninfo.get("application_name") or "")
            or seen["cluster_name"]
            or ("walreceiver" if standby else None),
            attached=tuple(Attached(*each) for each in seen["attached"] or ()),
            synchronous=seen["synchronous"].strip(),
            waits_for_standbys=seen["waits_for_standbys"],
            waits_for_replay=seen["waits_for_replay"],
            keeps_password="password" in conninfo,
            replay_paused=seen["replay_paused"],
            apply_delay=float(seen["apply_delay"]),
            prepared=seen["prepared"],
            manager=MANAGERS.get(manager),
        )

    def _timeline_by_files(self) -> int | None:
        if not self._value("SELECT has_function_privilege('pg_ls_waldir()', 'EXECUTE')"):
            return None
        timeline = self._value(_TIMELINE_BY_FILES)
        return int(timeline) if timeline is not None else None

    def _known(self) -> dict[str, str]:
        """Return what the database has recorded about its history; empty if it has no custctl schema yet."""
        query = sql.SQL(
            "SELECT name, value FROM {}.custctl_metadata"
            " WHERE name IN ('database_id', 'environment', 'epoch', 'fork', 'synchronous', 'synchronous_at')"
        ).format(sql.Identifier(self._schema))
        try:
            with self._driver.cursor() as cursor:
                return dict(cursor.execute(query).fetchall())
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
            return {}
        except psycopg.Error as error:
            raise self._translate(error) from None

    def missing_rights(self) -> Sequence[str]:
        self._require_control()
        # A standby needs no triggers yet; where no primary is left, nobody could reset the setting either.
        if self._value(f"SELECT current_setting('{_TRIGGERS}') = 'replica' AND NOT pg_is_in_recovery()"):
            raise RefusedError(
                f"node `{self.node.name}` fires no triggers for this login, which recording a new primary needs:"
                f" `{_TRIGGERS}` is `replica`",
                hint=f"let an administrator run `{self._reset_of(_TRIGGERS) or f'SET {_TRIGGERS} = origin'}`",
            )
        rows = [*self._ask(_RIGHTS), *self._ask(_RIGHTS_TO_RECORD, {"schema": self._schema})]
        return [next(iter(row.values())) for row in rows]

    def try_lock(self) -> bool:
        require_session(self._driver, self._dial_again, f"node {self.node}", "a change of the primary")
        return bool(self._value("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (_LOCK,)))

    # -- fencing -----------------------------------------------------------------------------------

    def _require_control(self) -> None:
        """Refuse a server whose settings are managed by something else, or a login that does not see them."""
        # Since PostgreSQL 17.
        if self._value("SELECT current_setting('allow_alter_system', true)") == "off":
            raise RefusedError(
                f"node `{self.node.name}` refuses ALTER SYSTEM, which a fence needs: `allow_alter_system` is off",
                hint="whatever manages its configuration must change the primary, or set `allow_alter_system = on`",
            )
        reset = self._reset_of(_FENCE)
        if reset is not None:
            raise RefusedError(
                f"this login cannot see whether node `{self.node.name}` is fenced: `{_FENCE}` is set for the login or"
                " the database",
                hint=f"let an administrator run `{reset}` on the primary, or use another login",
            )

    def _reset_of(self, setting: str) -> str | None:
        try:
            return reset_of(self._driver, setting)
        except psycopg.Error as error:
            raise self._translate(error) from None

    def _set(self, name: str, value: str | None) -> None:
        parameter = sql.Identifier(name)
        if value is None:
            self._ask(sql.SQL("ALTER SYSTEM RESET {}").format(parameter))
        else:
            self._ask(sql.SQL("ALTER SYSTEM SET {} = {}").format(parameter, sql.Literal(value)))

    def _reload(self) -> None:
        self._ask("SELECT pg_reload_conf()")

    def fence(self, timeout: float) -> str:
        self._require_control()
        deadline = time.monotonic() + timeout
        exempt = [row["exempt"] for row in self._ask(_EXEMPT)]
        if exempt:
            raise RefusedError(
                f"{', '.join(exempt)} of node `{self.node.name}` would not be blocked: `{_FENCE}` is set there too",
                hint=f"reset it, for example with `ALTER ROLE … RESET {_FENCE}`",
            )
        self._set(_FENCE, "on")
        self._reload()
        self._confirm(fenced=True, deadline=deadline)
        # All sessions that start from here on are fenced.
        fenced = self._value("SELECT clock_timestamp()")
        while True:
            found = self._ask(_END_SESSIONS, {"fenced": fenced})[0]
            writing = max(self._value(_WRITING), found["ending"] + found["open"])
            if not writing:
                break
            whose = " of superusers, which this login may not end," if found["open"] else ""
            self._pause(
                deadline,
                f"{plural(writing, 'transaction', 'transactions')}{whose} on node `{self.node.name}` did not end",
            )
        if self._value("SELECT count(*) FROM pg_prepared_xacts"):
            raise RefusedError(
                f"node `{self.node.name}` has prepared transactions, which a fence does not block",
                hint="commit them or roll them back; `pg_prepared_xacts` lists them",
            )
        left = found["left"]
        return f"{plural(left, 'session of a superuser goes', 'sessions of superusers go')} on" if left else ""

    def unfence(self, timeout: float) -> None:
        self._require_control()
        self._set(_FENCE, None)
        self._reload()
        self._confirm(fenced=False, deadline=time.monotonic() + timeout)

    def _confirm(self, *, fenced: bool, deadline: float) -> None:
        """Wait until new sessions have the setting; the server applies it a little later."""
        while True:
            try:
                with self._dial_again() as another:
                    if (another.info.parameter_status(_FENCE) == "on") is fenced:
                        return
            except psycopg.Error as error:
                raise self._translate(error) from None
            self._pause(deadline, f"new sessions on node `{self.node.name}` do not apply `{_FENCE}`")

    def _pause(self, deadline: float, otherwise: str) -> None:
        if time.monotonic() + _POLL >= deadline:
            raise UnavailableError(f"{otherwise} in time", hint="check `pg_stat_activity` there")
        time.sleep(_POLL)

    # -- positions ---------------------------------------------------------------------------------

    def last_position(self) -> int:
        # Commit a transaction of our own: then everything acknowledged before it is on disk and in the log that is sent
        # to the standbys; `local`, so that this does not wait for a standby.
        self._ask("BEGIN READ WRITE")
        self._ask("SET LOCAL synchronous_commit = local")
        self._ask("SELECT pg_logical_emit_message(true, 'custctl', 'fenced')")
        self._ask("COMMIT")
        return int(self._value("SELECT pg_current_wal_flush_lsn() - '0/0'"))

    def position(self) -> int:
        query = "SELECT GREATEST(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'"
        return int(self._value(query) or 0)

    def reconnects_to_source(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        query = "SELECT pid FROM pg_stat_wal_receiver WHERE status = 'streaming'"
        before = self._ask(query)
        held = self._ask("SELECT setting FROM pg_settings WHERE name = 'primary_conninfo'")
        if not held:
            raise _may_not_read_conninfo(self.node)
        # The server restarts the receiver when the text changes; a blank at its end has no meaning.
        conninfo = held[0]["setting"]
        self._set("primary_conninfo", conninfo[:-1] if conninfo.endswith(" ") else f"{conninfo} ")
        self._reload()
        while time.monotonic() < deadline:
            now = self._ask(query)
            if now and now != before:
                return True
            time.sleep(_POLL)
        return False

    # -- promotion ---------------------------------------------------------------------------------

    def promote(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        if not self._value("SELECT pg_is_in_recovery()"):
            return
        told = f"node `{self.node.name}` was asked to become the primary"
        try:
            self._ask("SELECT pg_promote(false)")
            while self._value("SELECT pg_is_in_recovery()"):
                if time.monotonic() >= deadline:
                    raise OutcomeUnknownError(
                        f"{told}, and is still a standby after {timeout:g} s: it replays what it has received"
                    )
                time.sleep(_POLL)
        except UnavailableError as error:
            raise OutcomeUnknownError(f"{told}, and no longer answers: {error.message}") from None

    def wait_for(self, standbys: str) -> None:
        self._set("synchronous_standby_names", standbys)
        self._reload()

    def record(self, standbys: str, timeout: float) -> bool:
        if not self._value(recording.may_record(self._schema)):
            return False
        deadline = time.monotonic() + timeout
        while standbys and not self._value(f"SELECT {SETTLED}"):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL)
        try:
            recording.write(self._driver, self._schema)
        except psycopg.Error as error:
            raise self._translate(error) from None
        return True

    # -- following another primary -----------------------------------------------------------------

    def follow(self, primary: Node, slots: Sequence[str]) -> str:
        upstream = self.upstream()
        asked = conninfo_to_dict(upstream.conninfo)
        wanted = {**asked, "host": primary.host, "port": str(primary.port)}
        wanted.pop("hostaddr", None)
        told = ""
        if upstream.slot and upstream.slot not in slots:
            self._set("primary_slot_name", "")
            told = f"it does without its slot `{upstream.slot}`, which node `{primary.name}` has not"
        if wanted != {**asked, "port": str(asked.get("port", ""))} or told:
            self._set("primary_conninfo", make_conninfo("", **wanted))
            self._reload()
        return told

    def upstream(self) -> Upstream:
        held = self._ask(
            "SELECT name, setting FROM pg_settings WHERE name IN ('primary_conninfo', 'primary_slot_name')"
        )
        settings = {row["name"]: row["setting"] for row in held}
        if "primary_conninfo" not in settings:
            raise _may_not_read_conninfo(self.node)
        return Upstream(settings["primary_conninfo"], settings.get("primary_slot_name") or None)

    def set_upstream(self, upstream: Upstream) -> None:
        self._set("primary_slot_name", upstream.slot or "")
        self._set("primary_conninfo", upstream.conninfo)
        self._reload()

    def slots(self) -> Sequence[str]:
        return [row["slot_name"] for row in self._ask("SELECT slot_name FROM pg_replication_slots")]

    def make_slots(self, names: Sequence[str]) -> Sequence[str]:
        held = set(self.slots())
        for name in names:
            if name not in held and self._value(
                "SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user"
            ):
                self._ask("SELECT pg_create_physical_replication_slot(%s, true)", (name,))
                held.add(name)
        return [name for name in names if name in held]

    def drop_slot(self, name: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        query = (
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s AND NOT active"
        )
        while not self._ask(query, (name,)) and name in self.slots():
            self._pause(deadline, f"it is in use on node `{self.node.name}`, and was not given up")

    def folder(self) -> str | None:
        found = self._ask("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
        return found[0]["setting"] if found else None

    def rejoin_commands(self, folder: str | None) -> Sequence[str]:
        data = folder or "$PGDATA"
        source = f"host={self.node.host} port={self.node.port}"
        rewind = f"pg_rewind --target-pgdata={data} --source-server='{source} user=postgres dbname=postgres' -R"
        copy = f"pg_basebackup -D {data} -d '{source} user=replicator' -R -X stream -c fast"
        return [
            f"pg_ctl stop -D {data} -m fast",
            rewind,
            f"# or, where it has neither checksums nor `wal_log_hints`, once {data} is moved away: {copy}",
            f"touch {data}/standby.signal",
            f"pg_ctl start -D {data}",
        ]


def _moment(text: str | None) -> datetime | None:
    """Parse a recorded time; None if it is damaged."""
    try:
        return datetime.fromisoformat(text) if text is not None else None
    except ValueError:
        return None


def _may_not_read_conninfo(node: Node) -> CredentialError:
    return CredentialError(
        f"this login may not read `primary_conninfo` of node `{node.name}`",
        hint="ask a superuser to `GRANT pg_monitor` to it",
    )
