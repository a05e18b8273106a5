"""Looking for everything that can be wrong.  Reads only."""
