"""The long-running parts: they hold connections, keys and clocks, and call the pure rooms."""
