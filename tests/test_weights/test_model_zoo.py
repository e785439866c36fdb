# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The zoo by name: through MMPretrain, the command line and tools/predict.py; never a random model.

A zoo of small models stands in for the published one; their files are made by timm, with the
authors' names.
"""

import argparse
import copy
import hashlib
import os
import subprocess
import sys

import cv2
import mmpretrain
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmpretrain.apis.model import ModelHub
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from fmae_iat_plugin.inference import predict
from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.weights import model_zoo, zoo_index
from fmae_iat_plugin.weights.checkpoint import read_checkpoint
from fmae_iat_plugin.weights.model_zoo import find_model, load_zoo, main, register_zoo

SIZES = dict(img_size=48, patch_size=6, embed_dim=192, depth=6, num_heads=6)
METAFILE = '''
Collections:
  - {{Name: Small, README: README.md}}
Models:
  - {{Name: small_au, In Collection: Small, Config: configs/small/au.py, Results: null,
     Task: Action Unit Detection, Metadata: {{Training Data: nobody}}, Weights: '{url}/au.pth',
     Weights License: CC BY-NC 4.0, Weights From: 'https://example.org/authors'}}
  - {{Name: small_mae, In Collection: Small, Config: configs/small/mae.py, Results: null,
     Task: Pretraining, Metadata: {{Training Data: nobody}}, Weights: '{url}/mae.pth',
     Weights License: CC BY-NC 4.0, Weights From: 'https://example.org/authors'}}
  - {{Name: small_untrained, In Collection: Small, Config: configs/small/au.py, Weights: null,
     Task: Action Unit Detection, Metadata: {{Training Data: nobody}},
     Results: [{{Task: Action Unit Detection, Dataset: 'Toys, fold 2',
                Metrics: {{F1 (published): 12.3}}}}]}}
'''


def save(path, weights):
    """As the authors do: `model`, and the arguments of the command line."""
    torch.save(dict(model=weights, args=argparse.Namespace(blr=5e-4), epoch=20), path)
    return path


@pytest.fixture(scope='module')
def theirs():
    """The authors' architecture, small, with 5 action units and 30 subjects."""
    torch.manual_seed(0)
    model = VisionTransformer(global_pool='avg', num_classes=5, **SIZES)
    model.ID_head = nn.Linear(192, 30)
    for value in model.parameters():
        value.data += .1 * torch.randn_like(value)
    return model.eval()


@pytest.fixture(scope='module')
def configs(repo):
    """Each in one text."""
    return {name: Config.fromfile(repo / 'configs' / path).pretty_text for name, path in (
        ('au', 'custom/own_table_tiny_48px.py'), ('mae', 'real_faces/pretrain.py'))}


@pytest.fixture
def zoo(configs, tmp_path, monkeypatch, file_server, theirs):
    """A checkout of three models and nothing in checkpoints/, as working directory; the server."""
    mmpretrain.list_models()  # reads the real indices, once in a process
    folder = tmp_path / 'configs' / 'small'
    folder.mkdir(parents=True)
    (tmp_path / 'model-index.yml').write_text('Import: [configs/small/metafile.yml]\n')
    (folder / 'metafile.yml').write_text(METAFILE.format(url=file_server.url))
    for name, text in configs.items():
        (folder / f'{name}.py').write_text(text)
    file_server.files['/au.pth'] = save(tmp_path / 't.pth', theirs.state_dict()).read_bytes()
    for module in (zoo_index, model_zoo):
        monkeypatch.setattr(module, 'zoo_root', lambda: tmp_path)
    monkeypatch.setattr(ModelHub, '_models_dict', dict(ModelHub._models_dict))
    monkeypatch.chdir(tmp_path)
    load_zoo.cache_clear()
    register_zoo()
    yield file_server
    load_zoo.cache_clear()


def logits(model):
    images = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(images)


def test_download_convert_and_use_by_name(zoo, theirs, capsys):
    pytest.importorskip('gdown')
    assert main(['download', 'small_au']) == 0
    out = capsys.readouterr().out
    assert 'https://example.org/authors, CC BY-NC 4.0: not for commercial use' in out
    assert 'checkpoints/small_au.pth: mmpretrain.get_model' in out
    assert sorted(os.listdir('checkpoints')) == ['originals', 'small_au.pth']
    model = mmpretrain.get_model('small_au', pretrained=True)
    torch.testing.assert_close(logits(model), logits(theirs), atol=1e-5, rtol=0)
    assert logits(theirs).std() > .01
    zoo.close()  # the second time, the network is not asked
    assert main(['download', 'small_au']) == 0


def test_an_earlier_download_is_compared_with_what_is_asked_for(zoo, theirs, tmp_path, capsys,
                                                               monkeypatch):
    """A checksum, another address: neither is passed over because a file is there already."""
    pytest.importorskip('gdown')
    fetch = model_zoo.fetch
    monkeypatch.setattr(model_zoo, 'fetch', lambda *given: fetch(*given, retries=0))
    data = {}
    for number, path in enumerate(('/au.pth', '/copy.pth')):
        weights = {name: value + number for name, value in theirs.state_dict().items()}
        save(tmp_path / 'made.pth', weights)
        zoo.files[path] = data[path] = (tmp_path / 'made.pth').read_bytes()
    sha = {path: hashlib.sha256(content).hexdigest() for path, content in data.items()}
    original = tmp_path / 'checkpoints/originals/small_au.pth'

    def download(*options, code=0):
        before = len(zoo.sent)
        assert main(['download', 'small_au', *options]) == code
        return zoo.sent[before:]

    assert download() == ['/au.pth'] and download() == []
    assert download('--sha256', sha['/au.pth'].upper()) == []
    assert download('--sha256', '0' * 64, code=2) == ['/au.pth']
    assert f'instead of {"0" * 64}' in capsys.readouterr().err
    assert original.read_bytes() == data['/au.pth']  # the file that was right is still there
    assert download('--url', zoo.url + '/copy.pth') == ['/copy.pth']
    assert original.read_bytes() == data['/copy.pth']
    assert download('--url', zoo.url + '/copy.pth') == []
    assert download() == ['/au.pth']  # the authors' again
    assert download('--url', zoo.url + '/copy.pth', '--sha256', sha['/au.pth']) == []
    original.write_bytes(data['/copy.pth'])  # changed behind our back
    assert download() == ['/au.pth']
    assert download('--url', 'http://127.0.0.1:9/dead.pth', code=2) == []
    for options, words in ((['--url', 'http://x/y.pth'], 'were both given'),
                           (['--sha256', '0' * 64], f'has the SHA-256 {sha["/au.pth"]} instead')):
        capsys.readouterr()
        assert main(['download', 'small_au', '--file', str(original), *options]) == 2
        assert words in capsys.readouterr().err


def test_no_weights_is_an_error_and_no_random_model(zoo):
    with pytest.raises(FileNotFoundError, match=r'checkpoints/small_au.pth does not exist. Remedy: '
                       r'python tools/model_zoo.py download small_au \(weights of https://example'):
        mmpretrain.get_model('small_au', pretrained=True)
    with pytest.raises(FileNotFoundError, match='no weights of small_untrained are public. Remedy: '
                       'train it .*tools/train.py configs/small/au.py, see README.md'):
        mmpretrain.get_model('small_untrained', pretrained=True)
    assert mmpretrain.get_model('small_au') is not None  # a random one was asked for


def test_own_training_serves_under_the_name(zoo):
    model = mmpretrain.get_model('small_untrained')
    nn.init.normal_(model.head.fc.weight)
    os.mkdir('checkpoints')
    torch.save(dict(state_dict=model.state_dict()), 'checkpoints/small_untrained.pth')
    again = mmpretrain.get_model('small_untrained', pretrained=True)
    assert torch.equal(logits(again), logits(model))


def test_local_file_and_no_decoder(zoo, tmp_path, theirs, monkeypatch, capsys):
    """The authors' encoders may come without MAE's decoder; the rest is theirs."""
    encoder = {name.replace('fc_norm', 'norm'): value for name, value in
               theirs.state_dict().items() if 'head' not in name}
    save(tmp_path / 'mae.pth', encoder)
    logged = []
    monkeypatch.setattr(MMLogger, 'warning', lambda self, text, *given: logged.append(text % given))
    assert main(['convert', 'small_mae', '--file', 'mae.pth', '--out', 'other']) == 0
    capsys.readouterr()
    assert any('has no neck.*' in text for text in logged)
    saved = read_checkpoint('other/small_mae.pth')['state_dict']
    assert torch.equal(saved['backbone.layers.5.attn.qkv.bias'],
                       encoder['blocks.5.attn.qkv.bias'])
    assert main(['download', 'small_mae', '--file', 'mae.pth']) == 0
    backbone = mmpretrain.get_model('small_mae', pretrained=True).backbone
    assert torch.equal(backbone.ln1.weight, encoder['norm.weight'])


def test_a_file_that_does_not_fit_is_refused(zoo, tmp_path, theirs, capsys):
    wrong = copy.deepcopy(theirs.state_dict())
    wrong['head.weight'], wrong['head.bias'] = torch.zeros(12, 192), torch.zeros(12)
    save(tmp_path / 'wrong.pth', wrong)
    assert main(['convert', 'small_au', '--file', 'wrong.pth']) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    assert 'wrong.pth does not fit small_au: 2 weights' in error and 'head.fc.bias' in error
    assert os.listdir('checkpoints') == []
    torch.save(dict(state_dict={'head.fc.bias': torch.zeros(5)}), 'checkpoints/small_au.pth')
    with pytest.raises(ValueError, match='small_au.pth does not fit small_au'):
        mmpretrain.get_model('small_au', pretrained=True)


class Hostile:
    def __reduce__(self):
        return os.mkdir, ('it_ran', )


def test_a_hostile_file_is_refused_without_running(zoo, tmp_path, capsys):
    torch.save(dict(model=Hostile()), tmp_path / 'bad.pth')
    zoo.files['/au.pth'] = (tmp_path / 'bad.pth').read_bytes()
    assert main(['convert', 'small_au', '--file', 'bad.pth']) == 2
    pytest.importorskip('gdown')
    assert main(['download', 'small_au']) == 2
    assert 'remove checkpoints/originals/small_au.pth' in capsys.readouterr().err
    os.makedirs('checkpoints', exist_ok=True)
    os.replace('bad.pth', 'checkpoints/small_au.pth')
    with pytest.raises(ValueError, match='refused'):
        mmpretrain.get_model('small_au', pretrained=True)
    assert not os.path.exists('it_ran') and os.listdir('checkpoints/originals')


@pytest.mark.parametrize(('arguments', 'message'), [
    (['download', 'small_at'], "error: the model zoo has no 'small_at'. Did you mean small_au"),
    (['download', 'small_untrained'], 'error: no weights of small_untrained are public'),
    (['convert', 'small_au', '--file', 'none.pth'], 'error: checkpoint none.pth does not exist'),
    (['list', 'nothing'], "error: no name of the model zoo matches 'nothing'"),
    (['download', 'small_au', '--sha256', 'ab' * 32], 'error: http://127.0.0.1:'),
    (['download', 'small_au', '--sha256', 'ab'], "error: 'ab' is not a SHA-256"),
    (['download', 'small_au', '--url', 'http://127.0.0.1:9/x.pth'], 'error: http://127.0.0.1:9/x')])
def test_errors_are_one_line(zoo, monkeypatch, capfd, arguments, message):
    if arguments[0] == 'download':
        pytest.importorskip('gdown')
    fetch = model_zoo.fetch
    monkeypatch.setattr(model_zoo, 'fetch', lambda *given: fetch(*given, retries=0))
    assert main(arguments) == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith(message)
    assert not os.path.exists('checkpoints/small_au.pth')


def test_list(zoo, capsys):
    assert main(['list', 'small']) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ['NAME', 'TASK', 'TRAINED', 'ON', 'WEIGHTS', 'LICENCE', 'PUBLISHED']
    assert rows[0].split('  ')[0] == 'small_au'
    assert 'download  CC BY-NC 4.0  -' in rows[0] and 'nobody' in rows[0]
    assert rows[2].endswith('-         -             F1 (published) 12.3, Toys, fold 2')
    assert 'what the paper reports; none was measured here' in rows[-1]
    os.mkdir('checkpoints')
    open('checkpoints/small_au.pth', 'w').close()
    main(['list', '*_au'])
    assert 'checkpoints/small_au.pth' in capsys.readouterr().out


def test_predict_by_name(zoo, tmp_path, theirs, capsys):
    cv2.imwrite('face.png', np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8))
    command = ['face.png', '--model', 'small_au', '--out-dir', 'out', '--detector', 'none',
               '--format', 'json', '--device', 'cpu']
    assert predict.main(command) == 2
    assert 'python tools/model_zoo.py download small_au' in capsys.readouterr().err
    assert not os.path.exists('out')
    save(tmp_path / 'au.pth', theirs.state_dict())
    assert main(['convert', 'small_au', '--file', 'au.pth']) == 0
    assert predict.main(command) == 0
    row, = AUInferencer('configs/small/au.py', 'checkpoints/small_au.pth', 'cpu', None)('face.png')
    with open('out/predictions.jsonl') as file:
        assert f'"probability": {row["aus"]["AU12"]["probability"]}' in file.read()


def test_resolve_model(zoo):
    assert zoo_index.resolve_model('a.py', 'w.pth') == ('a.py', 'w.pth')
    config = str(find_model('SMALL_AU').config)
    assert zoo_index.resolve_model('small_au', 'w.pth') == (config, 'w.pth')
    with pytest.raises(ValueError, match='--model a.py needs --weights FILE'):
        zoo_index.resolve_model('a.py')
    with pytest.raises(ValueError, match='small_mae does not predict action units'):
        zoo_index.resolve_model('small_mae')


def test_the_real_zoo_is_known_to_mmpretrain():
    names = {name for name, model in load_zoo().items() if 'face_detection' not in model.metafile}
    assert names <= set(mmpretrain.list_models())
    assert 'fmae-iat_vit-large_disfa_fold3' in mmpretrain.list_models('fmae-iat*')
    assert set(load_zoo()) - names == {'rtmdet_tiny_1xb32-300e_widerface',
                                       'yolox_tiny_1xb32-300e_widerface'}
    model = mmpretrain.get_model('fmae_vit-small_bp4d')
    assert model.head.fc.weight.shape == (12, 384)
    with pytest.raises(FileNotFoundError, match='no weights of fmae_vit-small_bp4d'):
        mmpretrain.get_model('fmae_vit-small_bp4d', pretrained=True)


def test_aus_of_a_published_data_set_are_noted(repo, monkeypatch, tmp_path):
    """The order of the head's outputs, which no file of the authors says."""
    monkeypatch.setattr(model_zoo, 'check_fit', lambda *given: None)  # a narrow stand-in for ViT-L
    narrow = VisionTransformer(global_pool='avg', num_classes=12, **SIZES)
    save(tmp_path / 'theirs.pth', narrow.state_dict())
    path = model_zoo.convert(find_model('fmae-iat_vit-large_bp4d_fold1'),
                             str(tmp_path / 'theirs.pth'), str(tmp_path))
    assert read_checkpoint(path)['meta']['dataset_meta']['aus'] == [
        1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24]


def test_the_import_leaves_the_index_alone_and_the_first_question_reads_it():
    code = """
import mmpretrain, fmae_iat_plugin
from mmpretrain.apis.model import ModelHub
from fmae_iat_plugin.weights.zoo_index import load_zoo
name = 'fmae-iat_vit-large_bp4d_fold1'
print(ModelHub._models_dict == {}, load_zoo.cache_info().currsize)
print(ModelHub.get(name).name, 'resnet18_8xb32_in1k' in mmpretrain.list_models('resnet18'))
print(mmpretrain.list_models('fmae-iat*bp4d_fold1'), ModelHub.has(name))
"""
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True,
                          text=True, check=True)
    assert done.stdout.splitlines()[-3:] == [
        'True 0', 'fmae-iat_vit-large_bp4d_fold1 True',
        "['fmae-iat_vit-large_bp4d_fold1'] True"]


def test_without_an_index(zoo, monkeypatch):
    for module in (zoo_index, model_zoo):
        monkeypatch.setattr(module, 'zoo_root', lambda: None)
    register_zoo()
    load_zoo.cache_clear()
    with pytest.raises(FileNotFoundError, match='model-index.yml is missing. Remedy'):
        load_zoo()
