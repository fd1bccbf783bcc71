"""A cluster that Patroni keeps."""
