"""Repairing what the check finds: plans of guarded steps, a backup, and the engine that acts."""
