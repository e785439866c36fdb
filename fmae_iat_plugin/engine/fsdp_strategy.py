# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Fully sharded data parallel (FSDP): each process holds its share of weights and moments.

Source: Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel" (VLDB 2023).

MMEngine's ``FSDPStrategy`` gives each model to a GPU, converts moments by a signature that PyTorch
changed in 2.1, and writes a checkpoint that only as many processes read. Here the checkpoint is the
one that a single process writes, so a training may go on with FSDP, with DDP, or on one device.
"""

import os
from functools import partial
from typing import Any, Optional, Sequence, Union

import torch
from mmengine._strategy import FSDPStrategy
from mmengine.dist import is_distributed, is_main_process
from mmengine.optim import BaseOptimWrapper
from mmengine.registry import STRATEGIES
from torch import nn
from torch.distributed.fsdp import FullOptimStateDictConfig, FullStateDictConfig
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.distributed.fsdp.wrap import lambda_auto_wrap_policy

from .compiled_blocks import BLOCKS, find_blocks
from .mixed_precision import MixedPrecisionOptimWrapper
from .sharded import note_shapes, plain_name


@STRATEGIES.register_module()
class WholeFSDPStrategy(FSDPStrategy):
    """MMEngine's FSDP on GPUs and CPUs, a unit for each block, with whole checkpoints.

    In a config::

        runner_type = 'mmpretrain.SafeFlexibleRunner'
        strategy = dict(type='WholeFSDPStrategy')

    Checkpoints are gathered on the first process, in its memory and not the GPU's: 12 bytes for
    each parameter that is trained.

    Args:
        blocks (Sequence[str]): Lists of blocks, each of which is gathered when it runs and
            released after it; the rest of the model is one more unit.
        model_wrapper (dict, optional): Arguments of ``MMFullyShardedDataParallel``, such as
            ``sharding_strategy='SHARD_GRAD_OP'`` or ``mixed_precision``.
        **kwargs: Of ``FSDPStrategy``, such as ``activation_checkpointing``.

    Raises:
        ValueError: If the processes were not started by a launcher, if the model has no such
            blocks, or if an option needs whole weights.
    """

    model_wrapper: Optional[dict]

    def __init__(self, *, blocks: Sequence[str] = BLOCKS, model_wrapper: Optional[dict] = None,
                 **kwargs):
        # weights that are on the CPU already would be freed before they are copied
        gather = dict(rank0_only=True, offload_to_cpu=torch.cuda.is_available())
        super().__init__(model_wrapper=model_wrapper, state_dict_cfg=dict(
            state_dict_type='FULL_STATE_DICT', state_dict_config=FullStateDictConfig(**gather),
            optim_state_dict_config=FullOptimStateDictConfig(**gather)), **kwargs)
        self.blocks = blocks

    def build_model(self, model: Union[nn.Module, dict]) -> nn.Module:
        """Build it, and note the shapes of its weights."""
        if not is_distributed():
            raise ValueError('WholeFSDPStrategy shards over processes, and there is one without a '
                             'group. Remedy: tools/dist_train.sh or tools/slurm_train.sh.')
        model = super().build_model(model)
        if any(getattr(part, 'fit', None) == 'closed_form' for part in model.modules()):
            raise ValueError("fit='closed_form' writes whole weights of the identity head, and "
                             "FSDP gives each process a part. Remedy: fit='gradient', or DDP.")
        note_shapes(model)
        return model

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        """Shard it, on this process's GPU, or on CPUs without one."""
        units = [block for _, block in find_blocks(model, self.blocks)]
        if not units:
            raise ValueError(f'{type(model).__name__} has no blocks at {", ".join(self.blocks)}. '
                             'Remedy: name its lists of blocks in strategy.blocks.')
        device = (torch.device('cuda', int(os.environ['LOCAL_RANK']))
                  if torch.cuda.is_available() else torch.device('cpu'))
        self.model_wrapper = {
            'auto_wrap_policy': partial(lambda_auto_wrap_policy,
                                        lambda_fn=lambda module: module in units),
            **(self.model_wrapper or {}), 'device_id': device, 'use_orig_params': True}
        return super()._wrap_model(model)

    def build_optim_wrapper(self, optim_wrapper: dict,  # type: ignore[override]
                            model: Optional[nn.Module] = None) -> BaseOptimWrapper:
        """Build it on the shards.

        Raises:
            ValueError: If gradients are to be clipped, whose norm no process knows.
        """
        if optim_wrapper.get('clip_grad'):
            raise ValueError('optim_wrapper.clip_grad would clip each process\'s share of the '
                             'gradient by its own norm. Remedy: clip_grad=None, or DDP.')
        if optim_wrapper.get('type') in ('MixedPrecisionOptimWrapper', MixedPrecisionOptimWrapper):
            optim_wrapper = {**optim_wrapper, 'use_fsdp': True}
        return super().build_optim_wrapper(optim_wrapper, model)

    def optim_state_dict(self) -> dict:
        """That of an optimizer of whole weights, on the first process; the others gather with it
        and have no moments."""
        state = self.optim_wrapper.state_dict()
        whole = FSDP.optim_state_dict(self.model, self.optim_wrapper.optimizer)
        if not is_main_process():
            return {**state, 'state': {}}
        number = {name: place for place, name in enumerate(
            name for group in whole['param_groups'] for name in group['params'])}
        return {**state,
                'state': {number[name]: values for name, values in whole['state'].items()},
                'param_groups': [{**group, 'params': [number[name] for name in group['params']]}
                                 for group in whole['param_groups']]}

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Take this process's share of what any strategy, or none, has saved.

        Raises:
            ValueError: If it is of another number of parameters.
        """
        optimizer = self.optim_wrapper.optimizer
        name_of = {id(value): plain_name(name) for name, value in self.model.named_parameters()}
        names = [name_of[id(value)] for group in optimizer.param_groups
                 for value in group['params']]
        saved = sum(len(group['params']) for group in state_dict['param_groups'])
        if saved != len(names):
            raise ValueError(f'the optimizer of the checkpoint has {saved} parameters, that of the '
                             f'config {len(names)}. Remedy: the config it was trained with.')
        whole = {'state': {names[place]: values for place, values in state_dict['state'].items()},
                 'param_groups': [
                     {**group, 'params': [names[place] for place in group['params']]}
                     for group in state_dict['param_groups']]}
        shard: dict[str, Any] = FSDP.optim_state_dict_to_load(self.model, optimizer, whole)
        self.optim_wrapper.load_state_dict({**state_dict, **shard})
