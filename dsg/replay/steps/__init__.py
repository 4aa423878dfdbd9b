"""Single steps that a method's own code took on a known prior, taken again by ours."""
