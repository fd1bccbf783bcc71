"""Replicas: which node has which role, where reads go, and how another node becomes the primary."""
