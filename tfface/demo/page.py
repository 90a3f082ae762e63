"""The page of ``tfface demo``, in Gradio, offline: a photo, sliders of what a model can change, before and after."""

import contextlib
import signal
import threading

import gradio as gr

from tfface.demo.desk import Desk
from tfface.editing import Editor
from tfface.errors import InputError

_NOTE = (
    "**Ask first.** Edit pictures of yourself, of people who agreed, or of people who do not exist. Results are "
    "labelled as AI-edited; leave the label on. Nothing leaves the machine that this page runs on. "
    "RESPONSIBLE_USE.md says more."
)
_CSS = "footer {display: none !important}"  # its links lead out of the machine


def build(desks):
    """Returns the page as `gradio.Blocks`, a tab for each `Desk`."""
    with gr.Blocks(title="tfface", analytics_enabled=False) as page:
        gr.Markdown("# tfface")
        for desk in desks:
            with gr.Tab(f"{desk.name}: {desk.run}" if len(desks) > 1 else desk.name):
                _tab(desk)
        gr.Markdown(_NOTE)
    return page


def _tab(desk):
    number, before = gr.State(1), gr.State({})
    with gr.Row():
        with gr.Column():
            photo = gr.Image(sources=["upload", "webcam"], type="filepath", label="Photo", elem_id="photo")
            found = gr.Image(label="Faces", interactive=False, visible=False, elem_id="faces")
            which = gr.Radio(label="Which face, from the left", visible=False, elem_id="which")
            with gr.Row(visible=bool(desk.choices)):
                quick = [_button(name) for name in desk.choices]
            handles = [_handle(control) for control in desk.controls]
        with gr.Column():
            shown = gr.ImageSlider(label="Before and after", elem_id="result", interactive=False)
            said = gr.Markdown("Drop or take a photo.", elem_id="said")
            again = gr.Button("Edit", variant="primary", elem_id="edit")
            picture = gr.DownloadButton("Download the picture", interactive=False, elem_id="picture")
            moving = gr.Button("Make a GIF", visible=desk.task.sweepable, elem_id="animate")
            animation = gr.Image(label="GIF", visible=False, elem_id="gif")

    def look(path, choice=None):
        """Finds the faces and sets the handles to what the chosen one shows."""
        if not path:
            still = [gr.update() for _ in desk.controls]
            return [1, {}, gr.update(visible=False), gr.update(visible=False), "Drop or take a photo.", *still]
        with reported():
            marked, count = desk.faces(path)
            chosen = int(choice) if choice else desk.largest(path)
            now = desk.shown(path, chosen)
        text = "One face." if count == 1 else f"{count} faces; number {chosen} is chosen."
        several = gr.update(choices=[str(n + 1) for n in range(count)], value=str(chosen), visible=count > 1)
        return [
            chosen, now, gr.update(value=marked, visible=count > 1), several, text,
            *[_shown(control, now[control.name]) for control in desk.controls],
        ]  # fmt: skip

    def values_of(handled):
        return {control.name: float(value) for control, value in zip(desk.controls, handled, strict=True)}

    def edit(path, chosen, now, *handled):
        if not path:
            raise gr.Error("Drop or take a photo first.", duration=5)
        with reported():
            done = desk.edit(path, chosen, desk.wanted(now, values_of(handled)))
        return (done.before, done.after), done.said, gr.update(value=str(done.path), interactive=True)

    def animate(path, chosen, now, *handled):
        if not path:
            raise gr.Error("Drop or take a photo first.", duration=5)
        with reported():
            target, _ = desk.animate(path, chosen, now, desk.wanted(now, values_of(handled)))
        return gr.update(value=str(target), visible=True)

    sight = [number, before, found, which, said, *handles]
    asked = [photo, number, before, *handles]
    results = [shown, said, picture]
    photo.change(look, photo, sight, show_progress="minimal")
    which.input(look, [photo, which], sight, show_progress="minimal")
    again.click(edit, asked, results)
    moving.click(animate, asked, animation)
    for handle, control in zip(handles, desk.controls, strict=True):
        (handle.input if control.switch else handle.release)(edit, asked, results, trigger_mode="always_last")
    for button, request in zip(quick, desk.choices.values(), strict=True):
        button.click(lambda request=request: [request[c.name] for c in desk.controls], None, handles).then(
            edit, asked, results
        )


def _button(name):
    return gr.Button(name, size="sm", min_width=110, elem_id=f"choice-{name.replace(' ', '-')}")


def _handle(control):
    name = f"set-{control.name}"
    if control.switch:
        return gr.Checkbox(label=control.label, elem_id=name)
    step = 0.05 if control.high <= 5 else 1
    return gr.Slider(control.low, control.high, max(control.low, 0.0), step=step, label=control.label, elem_id=name)


def _shown(control, value):
    return bool(value) if control.switch else round(value, 2)


@contextlib.contextmanager
def reported():
    """Shows what is wrong with a user's input on the page; a bug still ends in a traceback in the terminal."""
    try:
        yield
    except InputError as error:
        raise gr.Error(str(error), duration=8, print_exception=False) from None


def serve(runs, host, port, say=print):
    """Shows the page for the models of run directories until it is stopped (Ctrl-C, SIGTERM).

    Without any it shows those that come with tfface.

    Raises:
        InputError: a run that is none, or a port in use.
    """
    from tfface import pretrained, tasks, training

    desks = []
    for path in runs or pretrained.names():
        run = training.open_run(path)
        model = training.load_model(run.path)
        if getattr(model, "task", None) not in tasks.names():
            raise InputError(f"{path}: is a run of {run.model}, which edits nothing; name a run that does")
        desks.append(Desk(Editor(model), run.model, run.path.resolve().name))
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    page = build(desks)
    theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    try:
        _, address, _ = page.launch(
            server_name=host, server_port=port or None, prevent_thread_lock=True, quiet=True, theme=theme, css=_CSS,
            ssr_mode=False, share=False, max_file_size="64mb", footer_links=[],
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"--port {port}: {str(error).splitlines()[0]}; choose another") from None
    say(f"{', '.join(desk.name for desk in desks)} at {address}  Ctrl-C stops")
    stopped.wait()
    page.close(verbose=False)
