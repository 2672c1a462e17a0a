"""The side of the terminal that the verbs share: flags and shells in, tables, progress and errors out."""
