"""Random cases, the same for every seed, through idtviz and the real Bochs CPU: where do they disagree?"""
