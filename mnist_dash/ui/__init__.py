"""The pages: they read rows, call actions and draw. No torch in here: what trains lives in other processes."""
