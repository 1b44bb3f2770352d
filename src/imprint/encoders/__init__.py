"""Sample to unit vectors. The only owner of onnxruntime and tokenizers.

Open an encoder by name or version through `imprint.encoders.catalogue`.
"""

from imprint.encoders.callables import CallableEncoder, from_callable
from imprint.encoders.protocol import Encoder
from imprint.encoders.toy import ToyEncoder

__all__ = ["CallableEncoder", "Encoder", "ToyEncoder", "from_callable"]
