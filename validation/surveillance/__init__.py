"""What the quality manager gets: figures of a period, their page, and the records behind them."""
