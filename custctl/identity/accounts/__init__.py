"""Customers' accounts at an identity provider, kept in step with the customers in the database."""
