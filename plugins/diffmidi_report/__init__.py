"""The built-in part of report.html: what was run, how it learnt, what it found and how it sounds."""
