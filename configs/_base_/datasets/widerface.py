"""WIDER FACE as tools/dataset_converters/widerface.py leaves it, to be merged into mmdet's configs.

COCO json and not mmdet's WIDERFaceDataset: that one needs XML files by a third party's script, and
mmdet's RTMDet and YOLOX configs are written for CocoDataset, so that what follows is all there is
to say.
"""
_widerface = dict(
    data_root='data/widerface/', metainfo=dict(classes=('face', ), palette=[(0, 255, 0)]))
widerface_train = dict(
    **_widerface, ann_file='train.json', data_prefix=dict(img='images/train/'))
widerface_val = dict(**_widerface, ann_file='val.json', data_prefix=dict(img='images/val/'))
widerface_evaluator = dict(ann_file='data/widerface/val.json')

# the detector's samples differ in size: MMPretrain's train.py would stack them
widerface_collate = dict(type='pseudo_collate')
