"""custctl administers the database that holds a company's customers.

The package is usable without its command line: profiles, engines, migrations
and customers are plain typed modules that neither print nor prompt.
"""

__version__ = "0.1.0"
