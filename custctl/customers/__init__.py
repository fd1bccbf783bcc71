"""Customers: what a customer is, which values its fields may hold, and how two edits of one row are merged.

Nothing here prints, prompts or depends on an engine.
"""
