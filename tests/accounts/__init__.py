"""Customers' accounts at identity providers: real servers, and peers that fail on purpose."""
