"""English function words: sharing one of them is sharing nothing."""

STOP_WORDS = frozenset(
    """
    a about above after again all also although am an and any anyone anything are as at be because been before being
    below between both but by can cannot could d did do does doing don don't down during each even ever every
    everything few for from further had has have having he her here hers herself him himself his how however i if in
    into is isn't it its itself just ll m may me might more most must my myself no nor not now of off on once only
    or other ought our ours ourselves out over own re s same shall she should since so some someone something such t
    than that the their theirs them themselves then there these they this those though through to too under until up
    upon us user ve very was we were what whatever when where which while who whoever whom whose why will with would
    yet you your yours yourself
    """.split()
)
