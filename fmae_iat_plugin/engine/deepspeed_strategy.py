# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""DeepSpeed's ZeRO, stages 1 and 2: each process holds its share of moments and gradients.

Source: Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models"
(SC 2020). Stage 3 shares the weights, too; FSDP does that here.

MMEngine's strategy needs optimizers that DeepSpeed 0.19 no longer has, writes DeepSpeed's folders,
which only as many processes of DeepSpeed read, and does not ask the hooks what else belongs into a
checkpoint. Here the checkpoint is the one that a single process writes.
"""

from typing import Any, Dict, List, Optional

import torch
from mmengine._strategy import BaseStrategy, DeepSpeedStrategy, FSDPStrategy
from mmengine._strategy.single_device import SingleDeviceStrategy
from mmengine.dist import is_distributed, is_main_process
from mmengine.registry import STRATEGIES
from torch import Tensor, nn

from fmae_iat_plugin.extras import needs_extra

_STEP = 'step'


@STRATEGIES.register_module()
class WholeDeepSpeedStrategy(DeepSpeedStrategy):
    """MMEngine's ``DeepSpeedStrategy`` with whole checkpoints.

    In a config::

        runner_type = 'mmpretrain.SafeFlexibleRunner'
        strategy = dict(type='WholeDeepSpeedStrategy', zero_optimization=dict(stage=2))

    ``optim_wrapper`` stays as it is: DeepSpeed takes its optimizer and groups, and the ``dtype`` of
    ``MixedPrecisionOptimWrapper`` on a GPU, as autocast.

    Args:
        zero_optimization (dict, optional): DeepSpeed's section of this name. Defaults to stage 2.
        gradient_clipping (float): Largest norm of the gradient of all processes; 0, the default,
            is none, where DeepSpeed's own is 1.
        config (dict, optional): Other sections of DeepSpeed's configuration.
        **kwargs: Of ``BaseStrategy``.

    Raises:
        ValueError: If the processes were not started by a launcher, or for a setting whose state a
            whole checkpoint does not hold.
    """

    def __init__(self, *, zero_optimization: Optional[dict] = None,
                 gradient_clipping: float = 0., config: Optional[dict] = None,
                 **kwargs):
        with needs_extra('deepspeed', 'WholeDeepSpeedStrategy'):
            import deepspeed  # noqa: F401
        # DeepSpeedStrategy's own asks for optimizers that DeepSpeed 0.19 no longer has
        BaseStrategy.__init__(self, **kwargs)
        self.exclude_frozen_parameters = self._inputs_to_half = None
        zero = {'stage': 2, **(zero_optimization or {})}
        self.config = {'steps_per_print': 10**9, 'zero_allow_untested_optimizer': True,
                       'gradient_clipping': gradient_clipping, **(config or {}),
                       'zero_optimization': zero}
        for refused, why in (
                (zero['stage'] not in (1, 2), f'stage={zero["stage"]} shares the weights, too, or '
                                              'nothing. Remedy: stage 1 or 2, or '
                                              'WholeFSDPStrategy'),
                (self.config.get('gradient_accumulation_steps', 1) != 1,
                 'gradient_accumulation_steps would be lost in a checkpoint. Remedy: a smaller '
                 'batch, or DDP'),
                (any(self.config.get(name) for name in ('fp16', 'bf16', 'amp')),
                 'fp16, bf16 and amp keep the weights in 16 bits. Remedy: optim_wrapper.dtype')):
            if refused:
                raise ValueError(f'WholeDeepSpeedStrategy: {why}.')

    # preparing

    def prepare(self, model, *, optim_wrapper=None, dispatch_kwargs=None, **kwargs):
        """Tell DeepSpeed the batch size that the loader has."""
        if not is_distributed():
            raise ValueError('WholeDeepSpeedStrategy shares with other processes, and there is one '
                             'without a group. Remedy: tools/dist_train.sh or '
                             'tools/slurm_train.sh.')
        self.config['train_micro_batch_size_per_gpu'] = (dispatch_kwargs or {}).get(
            'train_micro_batch_size_per_gpu', 1)
        if optim_wrapper is not None:
            if optim_wrapper.get('clip_grad'):
                raise ValueError('optim_wrapper.clip_grad does not reach DeepSpeed. Remedy: '
                                 'strategy.gradient_clipping.')
            if torch.cuda.is_available() and optim_wrapper.get('dtype'):
                self.config.setdefault('torch_autocast', dict(
                    enabled=True, dtype=optim_wrapper['dtype']))
            optim_wrapper = dict(
                type='DeepSpeedOptimWrapper',
                **{key: value for key, value in optim_wrapper.items()
                   if key in ('optimizer', 'constructor', 'paramwise_cfg')})
        return super().prepare(model, optim_wrapper=optim_wrapper,
                               dispatch_kwargs=dispatch_kwargs or {}, **kwargs)

    # checkpoints

    load_checkpoint = SingleDeviceStrategy.load_checkpoint
    resume = SingleDeviceStrategy.resume
    save_checkpoint = FSDPStrategy.save_checkpoint  # of what follows; the first process writes

    def _is_full_state_dict(self) -> bool:
        return True

    def model_state_dict(self) -> dict:
        """Weights by their plain names, which each process has."""
        return self.model.module.state_dict()

    def load_model_state_dict(self, state_dict: dict, **kwargs) -> None:
        """Weights, and the copies that are updated."""
        super().load_model_state_dict(state_dict, **kwargs)
        if hasattr(self, 'optim_wrapper'):
            self.optim_wrapper.optimizer.refresh_fp32_params()

    def _parameters(self) -> List[nn.Parameter]:
        """Those that are trained, in the order of the optimizer's groups."""
        return [value for group in self.optim_wrapper.optimizer.bit16_groups for value in group]

    def _link(self) -> None:
        """Connect moments with parameters; DeepSpeed does so when it has stepped the first group
        of the optimizer, and so forgets the others."""
        with needs_extra('deepspeed', 'WholeDeepSpeedStrategy'):
            from deepspeed.utils.mixed_precision_linkage import lazy_init_hp_params_optimizer_state
        zero = self.optim_wrapper.optimizer
        for values, flat in zip(zero.bit16_groups, zero.single_partition_of_fp32_groups):
            lazy_init_hp_params_optimizer_state(values, flat, zero.optimizer.state)

    def optim_state_dict(self) -> dict:
        """That of an optimizer of whole weights; all processes gather it."""
        with needs_extra('deepspeed', 'WholeDeepSpeedStrategy'):
            from deepspeed.utils import safe_get_full_optimizer_state
        zero = self.optim_wrapper.optimizer
        self._link()
        places = iter(range(len(self._parameters())))
        groups = [{**{key: value for key, value in group.items() if key != 'params'},
                   'params': [next(places) for _ in values]}
                  for group, values in zip(zero.param_groups, zero.bit16_groups)]
        state: Dict[int, Dict[str, Tensor]] = {}
        moments: Dict[str, Any] = next(iter(zero.optimizer.state.values()), {})
        for place, value in enumerate(self._parameters() if moments else ()):
            whole = {name: safe_get_full_optimizer_state(value, name)
                     for name in moments if name != _STEP}
            if is_main_process():
                state[place] = {_STEP: moments[_STEP].cpu(),
                                **{name: moment.cpu() for name, moment in whole.items()}}
        return {**self.optim_wrapper.state_dict(), 'state': state, 'param_groups': groups}

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Take this process's share of what any strategy, or none, has saved.

        Raises:
            ValueError: If it is of another number of parameters.
        """
        with needs_extra('deepspeed', 'WholeDeepSpeedStrategy'):
            from deepspeed.utils import safe_set_full_optimizer_state
        zero, state = self.optim_wrapper.optimizer, state_dict['state']
        values = self._parameters()
        saved = sum(len(group['params']) for group in state_dict['param_groups'])
        if saved != len(values):
            raise ValueError(f'the optimizer of the checkpoint has {saved} parameters, that of the '
                             f'config {len(values)}. Remedy: the config it was trained with.')
        for group, other in zip(zero.param_groups, state_dict['param_groups']):
            group.update({key: value for key, value in other.items() if key != 'params'})
        self.optim_wrapper.load_state_dict(dict(state_dict))
        if not state:
            return
        first = next(iter(state.values()))
        for group in zero.optimizer.param_groups:
            for flat in group['params']:
                zero.optimizer.state[flat] = {
                    name: value.to(flat.device if group.get('fused') else value.device).clone()
                    if name == _STEP else torch.zeros_like(flat) for name, value in first.items()}
        self._link()
        for place, value in enumerate(values):
            for name, moment in state[place].items():
                if name != _STEP:
                    safe_set_full_optimizer_state(value, moment.to(value.device), name)
