"""ppq's own calibration, step-size learning and block reconstruction, through its Python interface.

Its quantizer for PPL CUDA, which has a scale for each output channel, as its manual has users derive one: with weights of as many bits as asked for, and with activations
of 256 steps and a zero point.  Everything else as it comes."""
import torch
from ppq import QuantizationSettingFactory, TargetPlatform, TorchExecutor
from ppq.api import dispatch_graph, load_onnx_graph
from ppq.core import QuantizationPolicy, QuantizationProperty
from ppq.quantization.quantizer import PPLCUDAQuantizer

ASYMMETRIC = QuantizationPolicy(QuantizationProperty.ASYMMETRICAL + QuantizationProperty.LINEAR + QuantizationProperty.PER_TENSOR)


class Quantizer(PPLCUDAQuantizer):
    bits = 8

    def __init__(self, graph):
        super().__init__(graph)
        self._quant_min, self._quant_max = 0, 255

    @property
    def quantize_policy(self):
        return ASYMMETRIC

    def init_quantize_config(self, operation):
        config = super().init_quantize_config(operation)
        if operation.type in ("Conv", "Gemm"):
            weight = config.input_quantization_config[1]
            weight.num_of_bits, weight.quant_min, weight.quant_max = self.bits, -2 ** (self.bits - 1), 2 ** (self.bits - 1) - 1
        return config


def setting_of(args):
    setting = QuantizationSettingFactory.default_setting()
    if args.method == "ppq LSQ":
        setting.lsq_optimization = True
        setting.lsq_optimization_setting.collecting_device = "cpu"
        setting.lsq_optimization_setting.steps = args.iterations
    if args.method == "ppq AdaRound":
        setting.blockwise_reconstruction = True
        setting.blockwise_reconstruction_setting.collecting_device = "cpu"
        setting.blockwise_reconstruction_setting.steps = args.iterations
    return setting


def quantized(args, calibrate):
    """An executor of the quantized network."""
    graph = dispatch_graph(load_onnx_graph(str(args.folder / "network.onnx")), TargetPlatform.PPL_CUDA_INT8)
    quantizer = Quantizer(graph)
    quantizer.bits = args.bits
    executor = TorchExecutor(graph, device="cpu")
    batches = list(torch.split(calibrate, args.batch))
    quantizer.quantize(inputs=calibrate[:1], calib_dataloader=batches, executor=executor, setting=setting_of(args), calib_steps=max(8, len(batches)), collate_fn=None)
    return executor


def run(args, graph, calibrate, score):
    executor = quantized(args, calibrate)
    for x in (score[i:i + 1] for i in range(len(score))):
        yield [o.numpy() for o in executor.forward(x, graph.outputs)]
