"""The tables, their column types, and what a database says of itself."""
