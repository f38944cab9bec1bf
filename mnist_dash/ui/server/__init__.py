"""The server around the pages: what starts and ends with it, its probes, its metrics, its headers."""
