# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The forms of the game between the feature and the identity head.

Every form says two things: what the head minimises, and which gradient reaches the feature before
:class:`~fmae_iat_plugin.models.GradReverse` turns it round. ``z`` are the logits ``[N, S]``, ``y``
the one-hot subject, ``p = softmax(z)``.

============== ===================== ================================== ==========================
form           the head minimises    gradient on z towards the feature  source
============== ===================== ================================== ==========================
``bce``        BCE, mean over N x S  (sigmoid(z) - y) / S               released code of FMAE-IAT
``bce_centred`` the same             the same, less its mean over S     this plugin; as softmax
``ce``         CE, mean over N       p - y                              FMAE-IAT, as the paper
                                                                        writes it
``confusion``  CE, mean over N       1 / S - p                          Tzeng et al., ICCV 2015,
                                                                        eq. 3
============== ===================== ================================== ==========================

``bce`` has a direction that says nothing about anybody: to raise all logits together. A softmax
does not see it, because it is the same for ``z`` and ``z + c`` (so ``ce`` and ``confusion`` have no
gradient along it), and ``bce_centred`` takes it out of what the feature receives. ``confusion`` is
bounded: the feature is pulled towards a uniform guess and is left alone once it is there.
"""

import torch
import torch.nn.functional as F

FORMS = ('bce', 'bce_centred', 'ce', 'confusion')


def head_loss(logits: torch.Tensor, subject: torch.Tensor, form: str) -> torch.Tensor:
    """What the head minimises, not yet averaged.

    Args:
        logits: ``[N, S]``.
        subject: ``[N]`` int64 in 0..S-1.
        form: One of :data:`FORMS`.

    Returns:
        torch.Tensor: ``[N, S]`` for the BCE forms, ``[N]`` for the others.
    """
    if form.startswith('bce'):
        target = F.one_hot(subject, logits.shape[1]).to(logits)
        return F.binary_cross_entropy_with_logits(logits, target, reduction='none')
    return F.cross_entropy(logits, subject, reduction='none')


def confusion_loss(logits: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the uniform distribution and ``softmax(logits)``, ``[N, S] -> [N]``.

    At least ln S, which it is where the head says nothing. Source: Tzeng et al., "Simultaneous Deep
    Transfer Across Domains and Tasks" (ICCV 2015), eq. 3.
    """
    return -logits.log_softmax(1).mean(1)


def without_common(logits: torch.Tensor) -> torch.Tensor:
    """``[N, S]`` less the mean over S, so that a gradient through it has none along (1, ..., 1)."""
    return logits - logits.mean(1, keepdim=True)


def feature_gradient(logits: torch.Tensor, subject: torch.Tensor, form: str) -> torch.Tensor:
    """Gradient on the logits that goes on to the feature, of each frame, before the reversal.

    Args:
        logits, subject, form: See :func:`head_loss`.

    Returns:
        torch.Tensor: ``[N, S]``, the third column of the table above, not divided by N.
    """
    number = logits.shape[1]
    target = F.one_hot(subject, number).to(logits)
    if form.startswith('bce'):
        gradient = (logits.sigmoid() - target) / number
        return gradient if form == 'bce' else without_common(gradient)
    share = logits.softmax(1)
    return share - target if form == 'ce' else 1 / number - share


def guessing_losses(counts: torch.Tensor, form: str) -> tuple:
    """What a head scores that knows nothing of a frame.

    Args:
        counts: ``[S]`` frames of each subject in the training.
        form: See :func:`head_loss`.

    Returns:
        tuple[float, float]: The floor, of a head that says the rates of the subjects (the least
        that is possible without looking), and the ceiling, of a head whose logits are all 0. An
        identity loss above the floor is worse than not looking: the head is being fooled, and its
        guesses say nothing about what the feature holds.
    """
    rates = counts.double() / counts.sum()
    if form.startswith('bce'):
        entropy = torch.special.entr(rates) + torch.special.entr(1 - rates)
        return entropy.mean().item(), float(torch.log(torch.tensor(2., dtype=torch.float64)))
    return (torch.special.entr(rates).sum().item(),
            float(torch.log(torch.tensor(float(len(rates)), dtype=torch.float64))))
