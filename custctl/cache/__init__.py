"""The cache of frequently read customers in Redis or Valkey; `docs/decisions/cache-protocol.md` explains why it is right."""
