"""The pure core: an event-sourced system is a value, and dispatching a command a function to the next one."""
