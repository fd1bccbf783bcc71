"""Operators' logins: who uses the program, proved by an identity provider's tokens."""
