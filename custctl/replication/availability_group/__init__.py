"""Availability groups of SQL Server."""
