"""A folder a noun, a file a verb: each command parses, makes one call into the domain, and renders."""
