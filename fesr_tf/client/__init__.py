"""The client: classifies every face of a photograph, a film or a camera by an exported model.

    from fesr_tf.client import Client
    for face in Client("localhost:8500").faces("photo.jpg"):
        print(face.label, face.probabilities)

The same as a command: `python -m fesr_tf.client --help`.
"""

from fesr_tf.client.session import Client
from fesr_tf.client.tables import Answer, Face, Photograph

__all__ = ["Answer", "Client", "Face", "Photograph"]
