"""One file a verb of the `sphereface` command."""
