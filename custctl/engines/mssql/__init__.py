"""SQL Server, behind the one interface."""
