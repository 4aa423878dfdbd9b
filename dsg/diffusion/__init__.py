"""The ground floor: noise levels, schedules, random streams and the reverse kernels."""
