# One word per operator: host/ops/<op>.c, cl/ops/<op>.cl (views have none) and tests/ops/test_<op>.c.
# The lint test checks that the three exist.
