"""The words of the domain: Calendar, Assets, Panel, Moment, Track. No estimation, no input or output."""
