"""Small Caffe networks, written by hand; our import of them."""
from caffe_writer import blob, caffemodel, data, number  # noqa: F401
from support import compare, evaluate, tool


def inputs(shapes):
    return "".join('layer { name: "%s" type: "Input" top: "%s" input_param { shape { %s } } }\n' % (n, n, " ".join("dim: %d" % d for d in s)) for n, s in shapes.items())


def save(tmp_path, text, layers=None, **how):
    path = tmp_path / "model.prototxt"
    path.write_text(text, encoding="utf-8")
    (tmp_path / "model.caffemodel").unlink(missing_ok=True)
    if layers is not None:
        (tmp_path / "model.caffemodel").write_bytes(layers if isinstance(layers, bytes) else caffemodel(layers, **how))
    return path


def gives(tmp_path, text, feeds, want, layers=None, **how):
    """With and without the passes our import gives these outputs."""
    path = save(tmp_path, text, layers, **how)
    for args in ((), ("--passes",)):
        compare(evaluate(path, feeds, tmp_path, *args), want)


def refuses(tmp_path, text, layers=None, args=(), **how):
    """The import ends in one message; returns it without the folder."""
    path = save(tmp_path, text, layers, **how)
    done = tool(*args, path)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr.replace(str(tmp_path) + "/", "")
