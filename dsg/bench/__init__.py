"""One call to take part: a fixed suite of comparisons, a submission a method, and one page of them all."""
