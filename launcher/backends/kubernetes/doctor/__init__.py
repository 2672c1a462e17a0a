"""Whether a cluster can carry out a run, before it is submitted. `examine` asks the cluster; every judgement is a pure
function over what it answered: `rights`, `quota`, `nodes`, `claim` and, of the rest, `surroundings`.
"""
