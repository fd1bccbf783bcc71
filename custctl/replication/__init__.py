"""Replicas: who is who, where a read goes, and how another node becomes the primary."""
