"""The kernel's behaviour, one sentence a test."""
