"""WIDER FACE as tools/dataset_converters/widerface.py writes it, to be merged into mmdet's configs.

It uses COCO json instead of mmdet's WIDERFaceDataset, which needs XML files from a third party's
script. mmdet's RTMDet and YOLOX configs are written for CocoDataset, so these settings suffice.
"""
_widerface = dict(
    data_root='data/widerface/', metainfo=dict(classes=('face', ), palette=[(0, 255, 0)]))
widerface_train = dict(
    **_widerface, ann_file='train.json', data_prefix=dict(img='images/train/'))
widerface_val = dict(**_widerface, ann_file='val.json', data_prefix=dict(img='images/val/'))
widerface_evaluator = dict(ann_file='data/widerface/val.json')

# the detector's samples differ in size, and MMPretrain's train.py would stack them
widerface_collate = dict(type='pseudo_collate')
