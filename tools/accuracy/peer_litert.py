"""LiteRT's quantizer, ai-edge-quantizer: bytes for weights and activations; reads TFLite; run by LiteRT."""
import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import calibrator, quantizer, recipe, recipe_manager
from ai_edge_quantizer.utils import qsv_utils

import references

MIN_MAX, OCTAV = recipe.AlgorithmName.MIN_MAX_UNIFORM_QUANT, recipe.AlgorithmName.OCTAV
OPTIONS = {"default": (MIN_MAX, qsv_utils.moving_average_update), "extremes": (MIN_MAX, qsv_utils.min_max_update), "octav": (OCTAV, qsv_utils.moving_average_update)}


def signed(model):
    """The same network in a file of today: with a signature and names, without which nothing is calibrated, and operators in the field that came in 2020; (bytes, the
    signature's key, the input's name there)."""
    found = Interpreter(model_path=str(model)).get_signature_list()
    if found:
        key = next(iter(found))
        return model.read_bytes(), key, found[key]["inputs"][0]
    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model.read_bytes(), 0))
    for code in whole.operatorCodes:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    graph, entry = whole.subgraphs[0], schema.SignatureDefT()
    for i, tensor in enumerate(graph.tensors):  # by which its quantizer knows them
        tensor.name = tensor.name or "tensor %d" % i
    entry.signatureKey, entry.subgraphIndex = "serving_default", 0
    entry.inputs, entry.outputs = ([named("%s%d" % (kind, i), index) for i, index in enumerate(indices)] for kind, indices in (("in", graph.inputs), ("out", graph.outputs)))
    whole.signatureDefs = [entry]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output()), "serving_default", "in0"


def named(name, index):
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry


def rows_of(case, pictures, name):
    """The model's own batch is 1: of a sample of several, each row is one."""
    for p in pictures:
        x = case.array(p)
        yield from ({name: row} for row in x.reshape(-1, *([1] + list(x.shape[1:]))))


def quantized(option, case, folder, floats=()):
    """The TFLite file of bytes; floats: operators that stay in float."""
    model, key, name = signed(case.model)
    algorithm, update = OPTIONS[option]
    plan, manager = recipe.static_wi8_ai8(algorithm), recipe_manager.RecipeManager()
    plan += [dict(plan[0], operation=name, algorithm_key=recipe.AlgorithmName.NO_QUANTIZE) for name in floats]
    manager.load_quantization_recipe(plan)
    calibration = calibrator.Calibrator(model, num_threads=1, qsv_update_func=update)
    calibration.calibrate({key: list(rows_of(case, case.calibrate, name))}, manager)
    tool = quantizer.Quantizer(model, plan)
    path = folder / "quantized.tflite"
    path.unlink(missing_ok=True)
    tool.quantize(calibration.get_model_qsvs(), serialize_to_path=str(path), enable_progress_report=False)
    return path


def run(option, case, folder):
    path = quantized(option, case, folder)
    runner = references.LiteRT(path, [case.network.input], case.outputs)
    for picture in case.score:
        yield picture.name, runner([case.array(picture)])
