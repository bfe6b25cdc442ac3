"""What every training shares: the loop, losses, sequences of frames, several processes, saved state."""
