"""The flow review: reads the traffic and tells a team where its flows break the rules of good event design."""
