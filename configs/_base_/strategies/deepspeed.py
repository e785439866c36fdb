"""DeepSpeed, ZeRO stage 2: each process holds its share of gradients and moments."""
runner_type = 'mmpretrain.SafeFlexibleRunner'
strategy = dict(type='WholeDeepSpeedStrategy', zero_optimization=dict(stage=2))
