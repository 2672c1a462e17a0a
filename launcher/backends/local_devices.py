"""Whether this machine has the devices of a run: asked before it begins, and by doctor."""

from __future__ import annotations

from launcher import infer310, profiles
from launcher.plan import Plan


def missing(plan: Plan) -> str | None:
    """The first kind of device that this machine has too few of, and what to do; None where it has all. Touches the
    file system."""
    lacking = [profiles.missing_devices(plan.profile, plan.devices)]
    lacking += [profiles.missing_devices(own, 1, instead=infer310.ON_CPU) for own in plan.own_profiles]
    return next(filter(None, lacking), None)
