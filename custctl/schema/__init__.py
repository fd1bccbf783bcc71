"""The tables, their column types, and what a database says about itself."""
