"""Carrying a journal from one location to another."""
