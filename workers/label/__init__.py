"""The label fleet: what is in a photo, found with a neural network."""

import os

# ONNX Runtime 1.29 and later report models and uses to their makers over the network, unless this is set before they
# are imported: https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
