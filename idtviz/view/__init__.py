"""Rows: what a panel shows, as plain values. Computed from two views, without any screen."""
