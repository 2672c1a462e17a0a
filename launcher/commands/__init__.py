"""One file a verb of the `launcher` command."""
