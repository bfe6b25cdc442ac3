"""Training of originals: one module per teacher over a shared loop, shared losses and shared sequences."""
