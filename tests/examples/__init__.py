"""The example domains: their rules as scenarios, their processes as whole cascades."""
