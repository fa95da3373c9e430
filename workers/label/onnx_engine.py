"""Running a network with ONNX Runtime, which is the fastest on most CPUs and takes a fifth of torch's memory."""

from onnxruntime import InferenceSession, SessionOptions

from workers.label.engine import Batch, Scores, threads

PIXELS, LOGITS, EMBEDDINGS = "pixels", "logits", "embeddings"


class OnnxEngine:
    """Runs a network, from the bytes of a file that `models prepare` made."""

    def __init__(self, network: bytes) -> None:
        options = SessionOptions()
        options.intra_op_num_threads = threads()
        options.inter_op_num_threads = 1
        # Its threads would otherwise keep a core busy while they wait for work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def __call__(self, batch: Batch) -> Scores:
        """Score one or more pictures."""
        logits, embeddings = self._session.run([LOGITS, EMBEDDINGS], {PIXELS: batch})
        return Scores(logits, embeddings)
