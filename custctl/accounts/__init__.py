"""Customers' accounts at an identity provider, which follow the customers in the database."""
