"""Somebody else's strategy, guarded: Freqtrade's own sample."""

from freqtrade.templates.sample_strategy import SampleStrategy

from qt_protections import QTGuard


class GuardedSample(QTGuard, SampleStrategy):
    """SampleStrategy, guarded; it goes long and short."""

    can_short = True
