"""A store in a RADOS pool: one login, one place a store."""
