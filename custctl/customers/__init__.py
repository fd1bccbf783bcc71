"""Customers: what one is, which values its fields may hold, and how two edits of one row are merged.

Nothing here prints, prompts or knows an engine.
"""
