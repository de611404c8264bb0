"""One file for each migration, loaded by Alembic from its path; a released one is never changed."""
