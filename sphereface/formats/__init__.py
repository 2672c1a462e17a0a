"""Other programs' file formats for weights and networks: PyTorch, Caffe, ONNX, and the wire format below them."""
