"""Mending what the check finds, by guarded steps."""
