"""Stores in RADOS pools: one login, and as many stores on pools and namespaces as are wanted."""
