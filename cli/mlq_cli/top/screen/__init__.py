"""The widgets of `mlq top`; only here is textual imported."""
