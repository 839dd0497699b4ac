"""What has not happened: previews of commands, what is possible in a model, and made-up messages."""
