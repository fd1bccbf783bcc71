"""PostgreSQL, behind the one interface."""
