"""Training on top of a trained model: today a verifier for its steps and answers, described in `docs/verifier.md`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
