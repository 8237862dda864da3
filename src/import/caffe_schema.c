#include "import/caffe_schema.h"

/* clang-format off */
#define F(name, KIND)       { #name, SGS_TEXT_##KIND, false, NULL, NULL }
#define MANY(name, KIND)    { #name, SGS_TEXT_##KIND, true, NULL, NULL }
#define M(name, type)       { #name, SGS_TEXT_MESSAGE, false, &type, NULL }
#define MANY_M(name, type)  { #name, SGS_TEXT_MESSAGE, true, &type, NULL }
#define W(name, words)      { #name, SGS_TEXT_WORD, false, NULL, words }
#define SKIP(name)          { #name, SGS_TEXT_SKIPPED, true, NULL, NULL }
#define END                 { NULL, SGS_TEXT_INT, false, NULL, NULL }
#define TYPE(id, name, ...) \
    static const sgs_text_field id##_fields[] = { __VA_ARGS__, END }; \
    static const sgs_text_type id = { name, id##_fields, NULL }

static const char *const phases[] = { "TRAIN", "TEST", NULL };
static const char *const pools[] = { "MAX", "AVE", "STOCHASTIC", NULL };
static const char *const roundings[] = { "CEIL", "FLOOR", NULL };
static const char *const eltwises[] = { "PROD", "SUM", "MAX", NULL };
static const char *const regions[] = { "ACROSS_CHANNELS", "WITHIN_CHANNEL", NULL };
static const char *const reductions[] = { "", "SUM", "ASUM", "SUMSQ", "MEAN", NULL };
static const char *const codes[] = { "", "CORNER", "CENTER_SIZE", "CORNER_SIZE", NULL };

/* ---- parameters of the layers that are taken ---- */

TYPE(shape, "BlobShape", MANY(dim, INT));
TYPE(rule, "NetStateRule", W(phase, phases), F(min_level, INT), F(max_level, INT), MANY(stage, STRING), MANY(not_stage, STRING));
TYPE(state, "NetState", W(phase, phases), F(level, INT), MANY(stage, STRING));

TYPE(argmax, "ArgMaxParameter", F(out_max_val, BOOL), F(top_k, COUNT), F(axis, INT));
TYPE(batch_norm, "BatchNormParameter", F(use_global_stats, BOOL), F(moving_average_fraction, FLOAT), F(eps, FLOAT), SKIP(engine));
TYPE(bias, "BiasParameter", F(axis, INT), F(num_axes, INT), SKIP(filler));
TYPE(clip, "ClipParameter", F(min, FLOAT), F(max, FLOAT));
TYPE(concat, "ConcatParameter", F(axis, INT), F(concat_dim, COUNT));
TYPE(continuation, "ContinuationIndicatorParameter", F(axis, INT));
TYPE(convolution, "ConvolutionParameter", F(num_output, COUNT), F(bias_term, BOOL), MANY(pad, COUNT), MANY(kernel_size, COUNT), MANY(stride, COUNT),
     MANY(dilation, COUNT), F(pad_h, COUNT), F(pad_w, COUNT), F(kernel_h, COUNT), F(kernel_w, COUNT), F(stride_h, COUNT), F(stride_w, COUNT), F(group, COUNT),
     F(axis, INT), SKIP(weight_filler), SKIP(bias_filler), SKIP(engine), SKIP(force_nd_im2col));
TYPE(crelu, "CReLUParameter", F(concat_axis, INT));
TYPE(crop, "CropParameter", F(axis, INT), MANY(offset, COUNT));
TYPE(nms, "NonMaximumSuppressionParameter", F(nms_threshold, FLOAT), F(top_k, INT), F(eta, FLOAT));
TYPE(detection_output, "DetectionOutputParameter", F(num_classes, COUNT), F(share_location, BOOL), F(background_label_id, INT), M(nms_param, nms),
     W(code_type, codes), F(variance_encoded_in_target, BOOL), F(keep_top_k, INT), F(confidence_threshold, FLOAT), SKIP(save_output_param), SKIP(visualize),
     SKIP(visualize_threshold), SKIP(save_file));
TYPE(dummy_data, "DummyDataParameter", MANY_M(shape, shape), MANY(num, COUNT), MANY(channels, COUNT), MANY(height, COUNT), MANY(width, COUNT), SKIP(data_filler));
TYPE(eltwise, "EltwiseParameter", W(operation, eltwises), MANY(coeff, FLOAT), SKIP(stable_prod_grad));
TYPE(elu, "ELUParameter", F(alpha, FLOAT));
TYPE(embed, "EmbedParameter", F(num_output, COUNT), F(input_dim, COUNT), F(bias_term, BOOL), SKIP(weight_filler), SKIP(bias_filler));
TYPE(exponent, "ExpParameter", F(base, FLOAT), F(scale, FLOAT), F(shift, FLOAT));
TYPE(flatten, "FlattenParameter", F(axis, INT), F(end_axis, INT));
TYPE(inner_product, "InnerProductParameter", F(num_output, COUNT), F(bias_term, BOOL), F(axis, INT), F(transpose, BOOL), SKIP(weight_filler), SKIP(bias_filler));
TYPE(input, "InputParameter", MANY_M(shape, shape));
TYPE(interp, "InterpParameter", F(height, INT), F(width, INT), F(zoom_factor, INT), F(shrink_factor, INT), F(pad_beg, INT), F(pad_end, INT));
TYPE(logarithm, "LogParameter", F(base, FLOAT), F(scale, FLOAT), F(shift, FLOAT));
TYPE(lrn, "LRNParameter", F(local_size, COUNT), F(alpha, FLOAT), F(beta, FLOAT), W(norm_region, regions), F(k, FLOAT), SKIP(engine));
TYPE(memory_data, "MemoryDataParameter", F(batch_size, COUNT), F(channels, COUNT), F(height, COUNT), F(width, COUNT));
TYPE(mvn, "MVNParameter", F(normalize_variance, BOOL), F(across_channels, BOOL), F(eps, FLOAT));
TYPE(norm, "NormalizeParameter", F(across_spatial, BOOL), F(channel_shared, BOOL), F(eps, FLOAT), SKIP(scale_filler));
TYPE(parameter, "ParameterParameter", M(shape, shape));
TYPE(permute, "PermuteParameter", MANY(order, COUNT));
TYPE(pooling, "PoolingParameter", W(pool, pools), F(pad, COUNT), F(pad_h, COUNT), F(pad_w, COUNT), F(kernel_size, COUNT), F(kernel_h, COUNT), F(kernel_w, COUNT),
     F(stride, COUNT), F(stride_h, COUNT), F(stride_w, COUNT), F(global_pooling, BOOL), W(round_mode, roundings), F(ceil_mode, BOOL), SKIP(engine));
TYPE(power, "PowerParameter", F(power, FLOAT), F(scale, FLOAT), F(shift, FLOAT));
TYPE(prelu, "PReLUParameter", F(channel_shared, BOOL), SKIP(filler));
TYPE(prior_box, "PriorBoxParameter", MANY(min_size, FLOAT), MANY(max_size, FLOAT), MANY(aspect_ratio, FLOAT), F(flip, BOOL), F(clip, BOOL), MANY(variance, FLOAT),
     F(img_size, COUNT), F(img_h, COUNT), F(img_w, COUNT), F(step, FLOAT), F(step_h, FLOAT), F(step_w, FLOAT), F(offset, FLOAT));
TYPE(recurrent, "RecurrentParameter", F(num_output, COUNT), F(expose_hidden, BOOL), SKIP(weight_filler), SKIP(bias_filler), SKIP(debug_info));
TYPE(reduction, "ReductionParameter", W(operation, reductions), F(axis, INT), F(coeff, FLOAT));
TYPE(relu, "ReLUParameter", F(negative_slope, FLOAT), SKIP(engine));
TYPE(reshape, "ReshapeParameter", M(shape, shape), F(axis, INT), F(num_axes, INT));
TYPE(reverse, "ReverseParameter", F(axis, INT));
TYPE(roi_pooling, "ROIPoolingParameter", F(pooled_h, COUNT), F(pooled_w, COUNT), F(spatial_scale, FLOAT));
TYPE(scale, "ScaleParameter", F(axis, INT), F(num_axes, INT), F(bias_term, BOOL), SKIP(filler), SKIP(bias_filler));
TYPE(shuffle, "ShuffleChannelParameter", F(group, COUNT));
TYPE(slice, "SliceParameter", F(axis, INT), MANY(slice_point, COUNT), F(slice_dim, COUNT));
TYPE(softmax, "SoftmaxParameter", F(axis, INT), SKIP(engine));
TYPE(spp, "SPPParameter", F(pyramid_height, COUNT), W(pool, pools), SKIP(engine));
TYPE(swish, "SwishParameter", F(beta, FLOAT));
TYPE(threshold, "ThresholdParameter", F(threshold, FLOAT));
TYPE(tile, "TileParameter", F(axis, INT), F(tiles, INT));
TYPE(upsample, "UpsampleParameter", F(scale, INT), F(scale_h, INT), F(scale_w, INT), F(upsample_h, INT), F(upsample_w, INT), SKIP(pad_out_h), SKIP(pad_out_w));

/* ---- layers ---- */

#define PARAMETERS \
    M(argmax_param, argmax), M(batch_norm_param, batch_norm), M(bias_param, bias), M(clip_param, clip), M(concat_param, concat), \
    M(continuation_indicator_param, continuation), M(convolution_param, convolution), M(crelu_param, crelu), M(crop_param, crop), \
    M(detection_output_param, detection_output), M(dummy_data_param, dummy_data), M(eltwise_param, eltwise), M(elu_param, elu), M(embed_param, embed), \
    M(exp_param, exponent), M(flatten_param, flatten), M(inner_product_param, inner_product), M(input_param, input), M(interp_param, interp), \
    M(log_param, logarithm), M(lrn_param, lrn), M(memory_data_param, memory_data), M(mvn_param, mvn), M(norm_param, norm), M(permute_param, permute), \
    M(pooling_param, pooling), M(power_param, power), M(prelu_param, prelu), M(prior_box_param, prior_box), M(reduction_param, reduction), \
    M(relu_param, relu), M(reshape_param, reshape), M(reverse_param, reverse), M(roi_pooling_param, roi_pooling), M(scale_param, scale), \
    M(shuffle_channel_param, shuffle), M(slice_param, slice), M(softmax_param, softmax), M(swish_param, swish), M(threshold_param, threshold), \
    M(tile_param, tile), M(upsample_param, upsample), M(parameter_param, parameter), M(recurrent_param, recurrent), M(spp_param, spp)
/* Of what happens in training, and to data before it reaches the network. */
#define OTHERS \
    SKIP(loss_weight), SKIP(blobs), SKIP(transform_param), SKIP(loss_param), SKIP(accuracy_param), SKIP(data_param), SKIP(dropout_param), \
    SKIP(hdf5_data_param), SKIP(hdf5_output_param), SKIP(image_data_param), SKIP(window_data_param), SKIP(annotated_data_param), SKIP(video_data_param), \
    SKIP(contrastive_loss_param), SKIP(hinge_loss_param), SKIP(infogain_loss_param), SKIP(multibox_loss_param), SKIP(detection_evaluate_param), \
    SKIP(sigmoid_param), SKIP(tanh_param), SKIP(python_param)

static const sgs_text_field layer_fields[] = {
    F(name, STRING), F(type, STRING), MANY(bottom, STRING), MANY(top, STRING), MANY_M(include, rule), MANY_M(exclude, rule), W(phase, phases), PARAMETERS, OTHERS,
    SKIP(param), SKIP(propagate_down), END,
};
static const sgs_text_type layer = { "LayerParameter", layer_fields, "_param" };

TYPE(v0, "V0LayerParameter", F(name, STRING), F(type, STRING), F(num_output, COUNT), F(biasterm, BOOL), F(pad, COUNT), F(kernelsize, COUNT), F(group, COUNT),
     F(stride, COUNT), W(pool, pools), F(local_size, COUNT), F(alpha, FLOAT), F(beta, FLOAT), F(k, FLOAT), F(concat_dim, COUNT), F(batchsize, COUNT),
     F(new_num, INT), F(new_channels, INT), F(new_height, INT), F(new_width, INT), SKIP(weight_filler), SKIP(bias_filler), SKIP(dropout_ratio), SKIP(source), SKIP(scale),
     SKIP(meanfile), SKIP(cropsize), SKIP(mirror), SKIP(blobs), SKIP(blobs_lr), SKIP(weight_decay), SKIP(rand_skip), SKIP(shuffle_images), SKIP(hdf5_output_param));

const char *const sgs_caffe_v1_words[] = {
    "NONE", "ACCURACY", "BNLL", "CONCAT", "CONVOLUTION", "DATA", "DROPOUT", "EUCLIDEAN_LOSS", "FLATTEN", "HDF5_DATA", "HDF5_OUTPUT", "IM2COL", "IMAGE_DATA",
    "INFOGAIN_LOSS", "INNER_PRODUCT", "LRN", "MULTINOMIAL_LOGISTIC_LOSS", "POOLING", "RELU", "SIGMOID", "SOFTMAX", "SOFTMAX_LOSS", "SPLIT", "TANH", "WINDOW_DATA",
    "ELTWISE", "POWER", "SIGMOID_CROSS_ENTROPY_LOSS", "HINGE_LOSS", "MEMORY_DATA", "ARGMAX", "THRESHOLD", "DUMMY_DATA", "SLICE", "MVN", "ABSVAL", "SILENCE",
    "CONTRASTIVE_LOSS", "EXP", "DECONVOLUTION", NULL,
};
const char *const sgs_caffe_v1_types[] = {
    "", "Accuracy", "BNLL", "Concat", "Convolution", "Data", "Dropout", "EuclideanLoss", "Flatten", "HDF5Data", "HDF5Output", "Im2col", "ImageData",
    "InfogainLoss", "InnerProduct", "LRN", "MultinomialLogisticLoss", "Pooling", "ReLU", "Sigmoid", "Softmax", "SoftmaxWithLoss", "Split", "TanH", "WindowData",
    "Eltwise", "Power", "SigmoidCrossEntropyLoss", "HingeLoss", "MemoryData", "ArgMax", "Threshold", "DummyData", "Slice", "MVN", "AbsVal", "Silence",
    "ContrastiveLoss", "Exp", "Deconvolution", NULL,
};

static const sgs_text_field v1_fields[] = {
    M(layer, v0), F(name, STRING), W(type, sgs_caffe_v1_words), MANY(bottom, STRING), MANY(top, STRING), MANY_M(include, rule), MANY_M(exclude, rule), PARAMETERS, OTHERS,
    SKIP(param), SKIP(blob_share_mode), SKIP(blobs_lr), SKIP(weight_decay), END,
};
static const sgs_text_type v1 = { "V1LayerParameter", v1_fields, "_param" };

/* ---- the network ---- */

static const sgs_text_field net_fields[] = {
    F(name, STRING), MANY_M(layer, layer), MANY_M(layers, v1), MANY(input, STRING), MANY(input_dim, INT), MANY_M(input_shape, shape), M(state, state),
    SKIP(force_backward), SKIP(debug_info), END,
};
const sgs_text_type sgs_caffe_net = { "NetParameter", net_fields, NULL };
/* clang-format on */
