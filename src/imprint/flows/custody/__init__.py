"""Answering for what is kept: master keys, encryption, erasure, copies."""
