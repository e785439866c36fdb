"""FSDP: each process holds its share of weights, gradients and moments; start it by a launcher."""
runner_type = 'mmpretrain.SafeFlexibleRunner'
strategy = dict(type='WholeFSDPStrategy')
