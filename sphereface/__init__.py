"""SphereFace on MindSpore: config -> data -> model -> loss -> train -> evaluate -> export."""

__version__ = "0.1.0"
