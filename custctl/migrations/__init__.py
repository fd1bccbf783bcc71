"""Migrations: scripts on disk, the journal in the database, the plan between them, and the runner."""
