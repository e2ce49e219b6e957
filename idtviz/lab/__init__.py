"""Scenario files, lessons and expectations: what turns a debugger into a laboratory."""
