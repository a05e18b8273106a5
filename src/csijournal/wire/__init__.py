"""Bytes to values and back: names, keys, records.  No I/O."""
