"""The mathematics: arrays in, arrays out. No frames, no files, no clocks, no missing values."""
