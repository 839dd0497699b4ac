"""Models of eight domains, each written in the way that its authors would choose, and one story for each."""
