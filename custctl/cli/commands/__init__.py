"""One folder per noun, one file per verb: each command parses, makes one call into the domain, and renders."""
