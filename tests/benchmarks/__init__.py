"""What the package costs, side by side with what one would write or use instead; run by `make bench`."""
