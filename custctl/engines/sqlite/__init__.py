"""SQLite, the embedded engine."""
