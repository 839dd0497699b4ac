"""The domains that the tutorials step through: a bank with transfers, and a shop that fulfils orders."""
