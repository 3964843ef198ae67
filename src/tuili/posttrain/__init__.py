"""Training on top of a trained model: a verifier for its steps and answers (`docs/verifier.md`), and
exits for an imported one (`docs/real-models.md`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
