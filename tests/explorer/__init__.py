"""Walks every schedule of a few clients over one store, and judges each step."""
