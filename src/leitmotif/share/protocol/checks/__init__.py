"""The checks of the protocol; the order of these imports is that of its lines."""

from leitmotif.share.protocol.checks import corpus as corpus  # noqa: I001
from leitmotif.share.protocol.checks import activations as activations
from leitmotif.share.protocol.checks import hooks as hooks
from leitmotif.share.protocol.checks import labels as labels
from leitmotif.share.protocol.checks import probes as probes
from leitmotif.share.protocol.checks import interventions as interventions
from leitmotif.share.protocol.checks import sharing as sharing
