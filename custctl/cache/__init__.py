"""The cache of hot customers in Redis or Valkey; `PROTOCOL.md` here tells why it is right."""
