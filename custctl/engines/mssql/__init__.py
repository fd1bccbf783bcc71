"""The engine for SQL Server."""
