"""Offline work on models: data sets, training, quantization, bundles."""
