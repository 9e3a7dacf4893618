"""Inherits features from another FreqAI strategy, and confirms entries by the prediction."""

from AiTarget import AiTarget


class AiConfirms(AiTarget):
    stoploss = -0.04
    use_custom_stoploss = True

    def confirm_trade_entry(self, pair, current_time, side, **kwargs):
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        wanted = frame["&-change"].iloc[-1]
        return abs(wanted) > 0.005 and (wanted > 0) == (side == "long")

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return -0.02 if current_profit > 0.015 else None
