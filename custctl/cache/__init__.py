"""A cache of frequently read customers in Redis or Valkey; `docs/decisions/cache-protocol.md` shows why it is right."""
