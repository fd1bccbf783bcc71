"""PostgreSQL's streaming replication, managed by SQL only."""
