"""The oracle: cases judged by the real Bochs CPU, which our own delivery engine must agree with."""
