"""Bytes to typed configuration: decoding, YAML and JSON with positions, templates, network formats.

Readers collect problems and go on. The one thing that is raised is `model.unreadable.Unreadable`: a platform whose
description of the machine itself cannot be read is not to be acted on at all.
"""
