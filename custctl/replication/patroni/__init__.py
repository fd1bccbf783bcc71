"""A cluster that Patroni manages."""
