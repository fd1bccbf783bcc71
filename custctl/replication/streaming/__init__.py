"""PostgreSQL's own replication, steered by SQL alone."""
