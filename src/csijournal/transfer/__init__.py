"""Carrying a journal from one place to another."""
