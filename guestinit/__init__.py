"""guestinit turns a cloned VM template into this machine."""

__version__ = "0.1.0"
