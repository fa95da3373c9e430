"""Ending an instance without losing or delaying work: `python -m workers.drain`, one beside each instance's worker.

It watches the instance metadata service for what says that this instance is going to end: a Spot interruption, a
rebalance recommendation, or a scale-in. Then it stops the worker in three steps, whose times are in `timing`:

1. SIGTERM: the worker takes no new message, hands back at once what it has not begun, and finishes what it does.
2. SIGQUIT: it hands back everything.
3. SIGKILL: nothing is lost even so, but its messages stay hidden until their visibility timeout.

Where a lifecycle hook of the autoscaling group holds the instance meanwhile, the drain asks for more time while the
worker runs, and lets the instance go when it has ended. The instance's role needs, for that:

- `autoscaling:DescribeAutoScalingInstances` on `*` (it knows no narrower resource);
- `autoscaling:RecordLifecycleActionHeartbeat` and `autoscaling:CompleteLifecycleAction` on its own group.

There is no way back: an instance that has been told that it will end does no more work, even if it lives on. A group
with Spot instances should therefore replace those that are recommended for it (`CapacityRebalance: true`).
"""
