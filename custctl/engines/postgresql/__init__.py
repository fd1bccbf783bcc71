"""PostgreSQL behind the common interface."""
