"""The protocol: reserve, check, undo, members, leases, recover."""
