# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Layer-wise learning-rate decay with merged parameter groups.

Source: MAE (He et al., 2022, arXiv 2111.06377, appendix A), after BEiT (arXiv 2106.08254):
a parameter at depth ``d`` of ``D`` learns at ``lr * decay ** (D - 1 - d)``; class token, position
and patch embedding have depth 0, block ``i`` has depth ``i + 1``, what follows the blocks (norms,
heads, adversary) has depth ``D - 1`` and so scale 1.

MMEngine's and MMPretrain's constructors make one group per tensor (about 300 for ViT-L), which
leaves nothing for foreach or fused AdamW to batch. Here tensors that share learning rate and
weight decay share a group: 52 for ViT-L, 2 without layer decay. The update is the same.
"""

from mmengine.logging import MMLogger
from mmengine.optim import DefaultOptimWrapperConstructor
from mmpretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from .sharded import plain_name, with_shapes


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Builds an optimizer whose groups are merged by (learning-rate scale, weight decay).

    The rule, in order:

    - frozen parameters (``requires_grad=False``) are left out;
    - 1-D tensors (biases, norms) and those named in ``undecayed`` have no weight decay, all
      others the optimizer's ``weight_decay``;
    - the learning rate is ``lr * layer_decay_rate ** (D - 1 - depth)``; depth and ``D`` come from
      the model's ``get_layer_depth`` (every MMPretrain classifier has one);
    - it is multiplied by ``lr_mult`` of the longest prefix that its name begins with.

    ``paramwise_cfg`` may hold:

    - ``layer_decay_rate`` (float in (0, 1]): Default 1, that is, no layer decay.
    - ``undecayed`` (sequence of str): last parts of the names of parameters that get no weight
      decay although they have more than one axis. Default ``()``.
    - ``lr_mult`` (dict[str, float]): prefix of names -> factor > 0 of the learning rate, such as
      ``{'adversary.head': 5.0}`` for an identity head that learns faster than what it plays
      against ("two time-scale update rule", Heusel et al., NeurIPS 2017). Default ``{}``.

    Fine-tuning and pretraining (where MAE decays class and mask token, and the position
    embedding is frozen) are then::

        optim_wrapper = dict(
            constructor='LayerDecayOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=5e-4 * 64 / 256, weight_decay=0.05, fused=True),
            paramwise_cfg=dict(layer_decay_rate=0.65, undecayed=('cls_token', 'pos_embed')))

        optim_wrapper = dict(
            constructor='LayerDecayOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=1.5e-4 * 512 / 256, weight_decay=0.05,
                           betas=(0.9, 0.95), fused=True))

    Each group carries ``lr``, ``weight_decay``, ``lr_scale`` (used by ``WarmupCosineLR``) and
    ``param_names`` (same order as ``params``, the model's own). Groups run from the head down,
    so the ``lr`` in MMEngine's log, which is that of the first group, is the head's.

    Args:
        optim_wrapper_cfg (dict): Config of the wrapper; ``optimizer`` must set ``lr`` and
            ``weight_decay``.
        paramwise_cfg (dict, optional): See above.

    Raises:
        TypeError: If ``undecayed`` is a plain string.
        ValueError: For unknown or impossible settings, and when called on a model without
            trainable parameters, with one tensor under two names, with a depth out of range, or
            with parameters renamed by ``torch.compile``.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None):
        # Filled-in defaults also keep MMEngine from its shortcut for an empty paramwise_cfg,
        # which would put every parameter, biases included, in one decayed group.
        settings = {'layer_decay_rate': 1.0, 'undecayed': (), 'lr_mult': {},
                    **(paramwise_cfg or {})}
        super().__init__(optim_wrapper_cfg, settings)
        unknown = sorted(set(settings) - {'layer_decay_rate', 'undecayed', 'lr_mult'})
        if unknown:
            raise ValueError(f'paramwise_cfg has unknown keys {unknown}: '
                             'use layer_decay_rate, undecayed and lr_mult')
        wrong = {name: factor for name, factor in settings['lr_mult'].items() if not factor > 0}
        if wrong:
            raise ValueError(f'lr_mult={wrong} must be above 0: freeze a tensor to keep it as it '
                             'is')
        rate = settings['layer_decay_rate']
        if not 0 < rate <= 1:
            raise ValueError(f'layer_decay_rate={rate} must lie in (0, 1]; 1 means no layer decay')
        if isinstance(settings['undecayed'], str):
            raise TypeError(f'undecayed={settings["undecayed"]!r} must be a sequence of names, '
                            f'such as ({settings["undecayed"]!r}, )')
        for key, value in (('lr', self.base_lr), ('weight_decay', self.base_wd)):
            if value is None:
                raise ValueError(f'set {key} in optim_wrapper.optimizer: groups are built from it')

    def add_params(self, params: list[dict], module: nn.Module, **kwargs) -> None:
        """Appends the merged groups of ``module`` to ``params`` (called by the base class).

        Args:
            params: list to be extended in place.
            module: the whole model, unwrapped from DDP.
            **kwargs: unused, part of MMEngine's signature.
        """
        undecayed = set(self.paramwise_cfg['undecayed'])
        names_of, groups, seen = {}, {}, set()
        shapes = {plain_name(name): param.shape for name, param in
                  with_shapes(module).named_parameters(remove_duplicate=False)}
        for name, param in module.named_parameters(remove_duplicate=False):
            name = plain_name(name)
            if '_orig_mod' in name.split('.'):
                raise ValueError(
                    f'parameter {name} was renamed by torch.compile(module), which hides its '
                    'layer: compile in place with module.compile(), which keeps the names')
            seen.add(name.rsplit('.', 1)[-1])
            if not param.requires_grad:
                continue
            if id(param) in names_of:
                raise ValueError(
                    f'{names_of[id(param)]} and {name} are the same tensor, so its learning rate '
                    'and weight decay are ambiguous: untie them or freeze the tensor')
            names_of[id(param)] = name
            scale = self._lr_scale(module, name) * self._lr_mult(name)
            plain = len(shapes[name]) <= 1 or name.rsplit('.', 1)[-1] in undecayed
            weight_decay = 0.0 if plain else self.base_wd
            group = groups.setdefault((scale, weight_decay), {
                'params': [], 'lr': self.base_lr * scale, 'weight_decay': weight_decay,
                'lr_scale': scale, 'param_names': []})
            group['params'].append(param)
            group['param_names'].append(name)
        if not groups:
            raise ValueError(f'{type(module).__name__} has no trainable parameter')
        logger = MMLogger.get_current_instance()
        if undecayed - seen:
            logger.warning(f'undecayed: no parameter is named {sorted(undecayed - seen)}')
        idle = [prefix for prefix in self.paramwise_cfg['lr_mult']
                if not any(name.startswith(prefix) for name in names_of.values())]
        if idle:
            logger.warning(f'lr_mult: no trainable parameter begins with {idle}')
        params.extend(groups[key] for key in sorted(groups, reverse=True))
        self._log(logger, params)

    def _lr_scale(self, model: nn.Module, name: str) -> float:
        """Returns ``decay ** (D - 1 - depth)`` of the parameter ``name``, 1 for the head."""
        rate = self.paramwise_cfg['layer_decay_rate']
        if rate == 1:
            return 1.0
        if not hasattr(model, 'get_layer_depth'):
            raise ValueError(f'layer_decay_rate={rate} needs {type(model).__name__}'
                             '.get_layer_depth(name) -> (depth, number of layers)')
        depth, num_layers = model.get_layer_depth(name)
        if not 0 <= depth < num_layers:
            raise ValueError(f'{type(model).__name__}.get_layer_depth({name!r}) = '
                             f'({depth}, {num_layers}): depth must lie in [0, {num_layers})')
        return rate**(num_layers - 1 - depth)

    def _lr_mult(self, name: str) -> float:
        """Returns the factor of the longest prefix of ``name``, 1 without any."""
        factors = self.paramwise_cfg['lr_mult']
        fitting = [prefix for prefix in factors if name.startswith(prefix)]
        return float(factors[max(fitting, key=len)]) if fitting else 1.0

    @staticmethod
    def _log(logger: MMLogger, groups: list[dict]) -> None:
        """Logs one line per group, parameter names at debug level only."""
        rows = [f'{"lr":>10} {"lr_scale":>9} {"decay":>7} {"tensors":>7} {"values":>11}']
        for group in groups:
            values = sum(param.numel() for param in group['params'])
            rows.append(f'{group["lr"]:10.3e} {group["lr_scale"]:9.3g} '
                        f'{group["weight_decay"]:7.3g} {len(group["params"]):7d} {values:11,d}')
            logger.debug(f'lr_scale {group["lr_scale"]:.3g}, weight decay '
                         f'{group["weight_decay"]:.3g}: {", ".join(group["param_names"])}')
        logger.info(f'{len(groups)} parameter groups\n' + '\n'.join(rows))
