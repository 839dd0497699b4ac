"""The example models of the tutorials: a bank with transfers, and a shop that fulfils orders."""
