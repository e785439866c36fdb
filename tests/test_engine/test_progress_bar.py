# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The bar counts the iterations of a run, resumed ones too, and leaves the terminal."""

import io
from types import SimpleNamespace

from rich.console import Console

from fmae_iat_plugin.engine import ProgressBarHook


def test_bar_counts_and_names_the_metric():
    out = io.StringIO()
    hook = ProgressBarHook('FMAE', console=Console(file=out, force_terminal=True, width=100))
    runner = SimpleNamespace(max_iters=10, iter=4)  # resumed after four
    hook.before_train(runner)
    for runner.iter in range(4, 9):
        hook.after_train_iter(runner, 0)
    assert hook.progress.tasks[0].completed == 9 and hook.progress.tasks[0].total == 10
    hook.after_val_epoch(runner, {'f1/mean': 41.26, 'auc/mean': 3})
    runner.iter = 9
    hook.after_train_iter(runner, 0)
    hook.after_train(runner)
    assert hook.progress.finished and not hook.progress.live.is_started
    assert 'FMAE, f1/mean 41.3' in out.getvalue() and '100%' in out.getvalue()


def test_validation_alone_and_a_run_that_fails_early_are_no_error():
    hook = ProgressBarHook(console=Console(file=io.StringIO()))
    hook.after_val_epoch(SimpleNamespace(), {'f1/mean': 1.0})
    hook.close()
    assert not hook.progress.tasks
