"""The database and the artifact folder: tables, states, records, events, the queue."""
