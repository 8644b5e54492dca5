"""Pretraining: a light image encoder learns the features of a better one."""
