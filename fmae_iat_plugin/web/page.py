# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A web page for this machine alone: action units of images, videos, a camera; docs/en/web.md."""

import argparse
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Dict, List, Optional

from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.faces.provenance import add_crop_arguments, crop_arguments
from fmae_iat_plugin.inference.backends import runs_on_onnx
from fmae_iat_plugin.inference.default_model import describe
from fmae_iat_plugin.inference.inferencer import AUTO, AUInferencer, detector_argument
from fmae_iat_plugin.visualization.bars import CSS, bars_html, wide_image
from fmae_iat_plugin.weights.zoo_index import configs_root, resolve_model

from .demo import Demo, Outcome, merge_rows, purge
from .limits import Limits

RENDERED = ("**These models are the quickstart's: trained on rendered faces only. Their "
            'predictions do not measure real faces.**')
LABEL = "CSV (OpenFace's columns) and JSON"


def _parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', help='config, .onnx file, or name of the model zoo; default: '
                        'that of the package')
    parser.add_argument('--weights', help='checkpoint of that config')
    parser.add_argument('--quickstart', action='store_true', help="the quickstart's FMAE-IAT "
                        'beside its FMAE')
    parser.add_argument('--compare-model', help='a second model, shown beside the first')
    parser.add_argument('--compare-weights')
    parser.add_argument('--detector', default=AUTO,
                        help='dlib, an mmdet config, or none: the images are face crops; default: '
                        "that of the model's training, else dlib")
    parser.add_argument('--detector-weights', help='mmdet: checkpoint')
    parser.add_argument('--device', help='cpu, cuda:0, ...; default: the GPU if there is one')
    parser.add_argument('--port', type=int, default=7860, help='port of 127.0.0.1')
    parser.add_argument('--max-mb', type=int, default=Limits().megabytes,
                        help='largest upload, in MB')
    parser.add_argument('--max-seconds', type=float, default=Limits().seconds,
                        help='longest video, in seconds')
    add_crop_arguments(parser)
    args = parser.parse_args(arguments)
    if args.model is None and (args.weights or args.compare_weights):
        parser.error('--weights and --compare-weights need --model')
    if args.quickstart and (args.model or args.compare_model):
        parser.error('--quickstart shows two models of its own')
    if args.compare_weights and not args.compare_model:
        parser.error('--compare-weights needs --compare-model')
    return args


def load_models(args: argparse.Namespace) -> Dict[str, AUInferencer]:
    """Name -> inferencer: those named, the quickstart's two, or the package's.

    Raises:
        FileNotFoundError: If the quickstart's are wanted and it has not run, or a file is missing.
        ValueError: If weights do not fit.
    """
    if args.quickstart:
        folder = Path(os.environ.get('QUICKSTART_DIR', 'work_dirs/quickstart'))
        wanted = {name: (str(configs_root() / 'synthfacs' / f'quickstart_{config}.py'),
                         str(folder / run / 'epoch_20.pth'))
                  for name, config, run in (('FMAE-IAT', 'iat', 'fmae-iat'),
                                            ('FMAE', 'fmae', 'fmae'))}
        missing = [weights for _, weights in wanted.values() if not Path(weights).is_file()]
        if missing:
            raise FileNotFoundError(
                f'--quickstart was given and {missing[0]} does not exist. Remedy: train the two '
                'small ones on rendered faces: bash tools/quickstart.sh')
    else:
        wanted = {}
        for model, weights in ((args.model, args.weights),
                               (args.compare_model, args.compare_weights)):
            if model is None and not wanted:
                wanted['default model'] = None, None
            elif model is not None:
                name = Path(model).stem
                name = name if name not in wanted else f'{name} (2)'
                wanted[name] = (model, weights) if runs_on_onnx(model) else resolve_model(
                    model, weights)
    detector = detector_argument(args.detector, args.detector_weights, args.device)
    crop = dict(crop_arguments(args))
    found: Dict[str, AUInferencer] = {}
    for name, (model, weights) in wanted.items():  # only the first looks for faces
        found[name] = AUInferencer(model, weights, args.device, None if found else detector, crop)
    return found


def build_page(demo: Demo, note: str = ''):
    """The page, as ``gradio.Blocks``.

    Args:
        demo: What it calls.
        note: Said at the top.
    """
    import gradio as gr
    names = list(demo.models)
    aus = {name: infer.aus for name, infer in demo.models.items()}
    graded = {name: infer.intensity_aus for name, infer in demo.models.items()}

    def call(function, value):
        if value is None:
            raise gr.Error('There is no file yet.', duration=None)
        try:
            outcome: Outcome = function(value)
        except ValueError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error
        if outcome.warning:
            gr.Warning(outcome.warning)
        return outcome

    def on_image(path):
        found = call(demo.image, path)
        bars = bars_html(merge_rows(found.rows, aus, graded), names)
        return found.picture, bars, _text(found.files)

    def on_video(path):
        found = call(demo.video, path)
        lines = [wide_image(path.read_bytes(), path.stem) for path in found.timelines]
        return (*_text(found.videos), *lines, _text(found.files))

    def on_frame(image):
        if image is None:
            return None, ''
        found = call(demo.frame, image)
        return found.picture, bars_html(merge_rows(found.rows, aus, graded), names)

    limits = demo.limits
    one = dict(concurrency_limit=1, concurrency_id='model', api_visibility='private')
    with gr.Blocks(title='Action units', analytics_enabled=False, delete_cache=(60, 1800)) as page:
        gr.Markdown(f'# Action units\n{note}\n\n{" beside ".join(names)}. Up to '
                    f'{limits.megabytes} MB, {limits.pixels / 1e6:g} million pixels; videos up to '
                    f'{limits.seconds:g} s. Nothing leaves this machine.')
        with gr.Tab('Image'):
            with gr.Row():
                image = gr.Image(label='Image', type='filepath', image_mode=None, height=360,
                                 sources=['upload', 'clipboard'], elem_id='image-in')
                boxes = gr.Image(show_label=False, format='jpeg', height=360, interactive=False,
                                 buttons=['download', 'fullscreen'], elem_id='image-out')
            go = gr.Button('Predict', variant='primary', elem_id='image-go')
            bars = gr.HTML(elem_id='image-bars')
            files = gr.Files(label=LABEL, elem_id='image-files')
            go.click(on_image, image, [boxes, bars, files], **one)
        with gr.Tab('Video'):
            video = gr.Video(label='Video', sources=['upload'], height=300, elem_id='video-in')
            start = gr.Button('Predict', variant='primary', elem_id='video-go')
            with gr.Row():
                films, lines = [], []
                for number, name in enumerate(names):
                    with gr.Column(min_width=320):
                        gr.Markdown(f'**{name}**')
                        films.append(gr.Video(show_label=False, interactive=False, buttons=[],
                                              elem_id=f'video-out-{number}'))
                        lines.append(gr.HTML(elem_id=f'timeline-{number}'))
            tables = gr.Files(label=f'{LABEL}, videos and timelines', elem_id='video-files')
            start.click(on_video, video, [*films, *lines, tables], **one)
        with gr.Tab('Webcam'):
            with gr.Row():
                camera = gr.Image(label='Camera', sources=['webcam'], streaming=True, height=360,
                                  elem_id='camera-in')
                seen = gr.Image(show_label=False, format='jpeg', height=360, interactive=False,
                                buttons=['fullscreen'], elem_id='camera-out')
            live = gr.HTML(elem_id='camera-bars')
            camera.stream(on_frame, camera, [seen, live], stream_every=.5, time_limit=300,
                          show_progress='hidden', **one)
    return page


def _text(paths) -> List[str]:
    return [str(path) for path in paths]


def serve(models: Dict[str, AUInferencer], limits: Limits, port: int, note: str = '') -> None:
    """Serve the page on 127.0.0.1 until Ctrl-C; files go after half an hour, and at the end.

    Raises:
        ImportError: If Gradio is not installed.
        OSError: If the port is taken.
    """
    for name in [name for name in os.environ if name.startswith('GRADIO_')]:
        del os.environ[name]  # they could share the page, or folders
    os.environ.update(GRADIO_ANALYTICS_ENABLED='False', HF_HUB_OFFLINE='1')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix='fmae_iat_web_') as folder:
        root = Path(folder)
        os.environ['GRADIO_TEMP_DIR'] = str(root / 'cache')
        (root / 'work').mkdir()
        (root / 'cache').mkdir()
        with needs_extra('demo', 'web page'):
            import gradio as gr
        page = build_page(Demo(models, limits, root / 'work'), note)
        fonts = ['system-ui', 'sans-serif']
        page.queue(max_size=16, api_open=False).launch(
            server_name='127.0.0.1', server_port=port, share=False, inbrowser=False, quiet=True,
            prevent_thread_lock=True, max_file_size=f'{limits.megabytes}mb', allowed_paths=[],
            show_error=False, footer_links=[], run_history=False, enable_monitoring=False,
            ssr_mode=False, mcp_server=False, pwa=False, css=CSS,
            theme=gr.themes.Default(font=fonts, font_mono=['monospace']))
        sys.stdout.write(f'http://127.0.0.1:{port}\n')
        sys.stdout.flush()
        over = threading.Event()
        try:
            while not over.wait(60):
                purge(root / 'work')
                purge(root / 'cache')
        finally:
            page.close(verbose=False)


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns the exit code: 0, or 2 (an error)."""
    args = _parse(arguments)
    try:
        models = load_models(args)
        note = RENDERED if args.quickstart else ''
        if args.model is None and not args.quickstart:
            said = describe(next(iter(models.values())).backend.metadata)
            note = f'**The default model, {said}.**'
        serve(models, Limits(megabytes=args.max_mb, seconds=args.max_seconds),
              args.port, note)
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == '__main__':
    sys.exit(main())
