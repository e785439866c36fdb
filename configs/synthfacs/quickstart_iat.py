"""FMAE-IAT on rendered faces at 64 px, sized for a laptop: `bash tools/quickstart.sh`.

There are 24 subjects, a third of them unseen, and DISFA's eight AUs. The encoder is 192 wide and 4
deep. The recipe departs from the published one: it has no RandAugment, no erasing, and a gentle
crop, because the faces have 64 px and the updates are few. Adam's beta1 of 0.5 keeps a minimax of a
few hundred updates from oscillating. quickstart_iat-paper.py has the paper's form of the adversary.
"""
_base_ = [
    '../_base_/models/iat_vit-tiny-48px.py',
    '../_base_/datasets/faces_48.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

work = '{{$QUICKSTART_DIR:work_dirs/quickstart}}'
aus = (1, 2, 4, 6, 9, 12, 25, 26)
dataset = dict(type='SynthFACS', data_root=work + '/faces', aus=aus, in_memory=True)
train_pipeline = [
    dict(type='LoadFace'),
    dict(
        type='RandomResizedCrop',
        scale=64,
        crop_ratio_range=(0.85, 1.0),
        aspect_ratio_range=(0.95, 1.05),
        interpolation='bilinear',
        backend='cv2'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs', algorithm_keys=('subject', )),
]
test_pipeline = [
    dict(type='LoadFace'),
    dict(type='PackInputs', algorithm_keys=('subject', )),
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(batch_size=200, dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = dict(batch_size=200, dataset=dict(pipeline=test_pipeline, **dataset))
val_evaluator = dict(type='ActionUnitMetric')
test_evaluator = dict(type='ActionUnitMetric')

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=192, num_layers=4, num_heads=6, feedforward_channels=768),
        img_size=64,
        patch_size=16,
        drop_path_rate=0.0),
    head=dict(in_channels=192, num_classes=len(aus)),
    # cross entropy, lambda per person: the form that won in docs/en/settled_runs.md
    adversary=dict(
        neck=dict(scale=2.0),
        head=dict(in_channels=192, num_subjects=24, loss='ce', per_subject=True)),
    pretrained=work + '/pretrain/epoch_60.pth')
custom_hooks = _base_.custom_hooks + [
    # has the adversary settled? 12 + 6 frames of each person, every fourth epoch
    dict(type='AdversaryMonitorHook', interval=4, train=12, test=6)
]
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',  # fp32: no accelerator
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.5, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(layer_decay_rate=0.75, undecayed=('cls_token', 'pos_embed')))
train_cfg = dict(max_epochs=20, val_interval=2)
