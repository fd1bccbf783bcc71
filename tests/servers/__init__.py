"""The servers that tests run against: real PostgreSQL clusters, a SQL Server named from outside, and faulty networks."""
