"""Side by side with named peers; run by hand, never by the tests.

`python -m benchmarks` runs all; `python -m benchmarks.startup` and its neighbours run one. What counts is the ratio
between two commands of the same run on the same machine: times alone say more about the machine.
"""
