"""The network model as files of a network manager, one file here for each manager.

A renderer has `render(network, nics, problems) -> files`, pure and deterministic: the same model gives the same bytes. What
a manager cannot express is a problem with its place. `nics` are the interfaces of the machine, as far as they are known.
"""

from __future__ import annotations

# The names that `network.renderer` and `net render --renderer` take.
NAMES = ("networkd", "network-manager")
