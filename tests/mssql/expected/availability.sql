SELECT CAST(DATABASEPROPERTYEX(N'shop', 'Status') AS NVARCHAR(60)),
       CAST(DATABASEPROPERTYEX(N'shop', 'Updateability') AS NVARCHAR(60)), SYSUTCDATETIME()
GO
SELECT CAST(recovery_fork_guid AS NVARCHAR(36)) FROM sys.database_recovery_status WHERE database_id = DB_ID(N'shop')
GO
SELECT name, value FROM [shop].[dbo].[custctl_metadata] WHERE name IN ('database_id', 'environment', 'epoch', 'fork')
GO
SELECT CAST(g.group_id AS NVARCHAR(36)), g.name, g.cluster_type_desc, g.required_synchronized_secondaries_to_commit,
       r.replica_server_name, s.role_desc, s.connected_state_desc
  FROM sys.availability_databases_cluster AS d
 INNER JOIN sys.availability_groups AS g ON g.group_id = d.group_id
 INNER JOIN sys.dm_hadr_availability_replica_states AS s ON s.group_id = g.group_id AND s.is_local = 1
 INNER JOIN sys.availability_replicas AS r ON r.replica_id = s.replica_id
 WHERE d.database_name = N'shop' AND g.is_distributed = 0
GO
SELECT d.database_name, s.synchronization_state_desc, c.is_failover_ready, s.is_suspended, s.last_hardened_lsn,
       s.last_redone_lsn, s.end_of_log_lsn, CASE WHEN s.synchronization_state IN (1, 2) AND s.is_suspended = 0
      AND s.redo_queue_size = 0 AND COALESCE(s.secondary_lag_seconds, 0) = 0 THEN 0
     ELSE DATEDIFF(SECOND, s.last_commit_time, SYSDATETIME()) END,
       DATEADD(MINUTE, DATEDIFF(MINUTE, GETDATE(), GETUTCDATE()), s.last_commit_time)
  FROM sys.availability_databases_cluster AS d
  LEFT JOIN sys.dm_hadr_database_replica_states AS s
    ON s.group_id = d.group_id AND s.group_database_id = d.group_database_id AND s.is_local = 1
  LEFT JOIN sys.dm_hadr_database_replica_cluster_states AS c
    ON c.replica_id = s.replica_id AND c.group_database_id = s.group_database_id
 WHERE d.group_id = N'6E5B2B1C-0000-0000-0000-00000000000A'
 ORDER BY d.database_name
GO
SELECT r.replica_server_name, r.availability_mode_desc, s.is_local, s.connected_state_desc, s.synchronization_health_desc
  FROM sys.availability_replicas AS r
  LEFT JOIN sys.dm_hadr_availability_replica_states AS s ON s.replica_id = r.replica_id
 WHERE r.group_id = N'6E5B2B1C-0000-0000-0000-00000000000A'
 ORDER BY r.replica_server_name
GO
SELECT SUSER_SNAME(), HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE'), HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW ANY DEFINITION'), HAS_PERMS_BY_NAME(N'[ag]', N'AVAILABILITY GROUP', N'ALTER'), CASE WHEN HAS_PERMS_BY_NAME(NULL, NULL, N'ALTER ANY DATABASE') = 0 AND HAS_PERMS_BY_NAME(N'[shop]', N'DATABASE', N'ALTER') = 0 THEN 0 ELSE 1 END
GO
ALTER AVAILABILITY GROUP [ag] MODIFY REPLICA ON N'sql2' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)
GO
ALTER AVAILABILITY GROUP [ag] SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 2)
GO
ALTER AVAILABILITY GROUP [ag] OFFLINE
GO
ALTER AVAILABILITY GROUP [ag] FORCE_FAILOVER_ALLOW_DATA_LOSS
GO
ALTER AVAILABILITY GROUP [ag] SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 0)
GO
ALTER AVAILABILITY GROUP [ag] SET (ROLE = SECONDARY)
GO
ALTER DATABASE [shop] SET HADR RESUME
GO
ALTER AVAILABILITY GROUP [ag] MODIFY REPLICA ON N'sql2' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT)
GO
SELECT quorum_state_desc FROM sys.dm_hadr_cluster
GO
ALTER AVAILABILITY GROUP [ag] FAILOVER
GO
