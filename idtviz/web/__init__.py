"""The debugger in the browser: one machine for each visitor, in a process of its own."""
