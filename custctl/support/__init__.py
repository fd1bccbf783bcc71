"""Shared basics without a domain: errors, files, units, signals."""
