/* calibrator_custom._sgs: models of sgs.h as Python objects, on CPython's limited API of 3.8, without numpy's headers.
 *
 * Private to calibrator_custom, which checks arrays and hands over the address and the number of bytes of contiguous
 * ones; those two are the only arguments that are trusted.  What belongs to numpy (shapes, dtypes) is made there too.
 * The interpreter's lock is free while a model opens, runs or is written; a model that one thread is using refuses
 * others.                                                                                                       */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

#include "openipu/sgs.h"

typedef struct model {
    PyObject_HEAD
    sgs_simulator *s;
    sgs_calibrator *c; /* owns s; NULL: a simulator */
    PyObject *params;  /* bytes that c reads quantization parameters from, or NULL */
    int busy;          /* a thread is inside, without the interpreter's lock */
} model;

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static PyObject *exception_for(sgs_status s)
{
    switch (s) {
    case SGS_E_FILE:
        return PyExc_OSError;
    case SGS_E_UNSUPPORTED:
        return PyExc_NotImplementedError;
    case SGS_E_LIMIT:
        return PyExc_MemoryError;
    case SGS_E_INTERNAL:
        return PyExc_RuntimeError;
    default:
        return PyExc_ValueError;
    }
}

/* Raises what the diagnostic says; always NULL. */
static PyObject *raise(const sgs_diag *d)
{
    char text[4096];
    static const char prefix[] = "error: ";
    sgs_diag_format(d, text, sizeof text);
    const char *from = strncmp(text, prefix, sizeof prefix - 1) ? text : text + sizeof prefix - 1;
    size_t n = strlen(from);
    while (n && from[n - 1] == '\n')
        n--;
    PyObject *message = PyUnicode_DecodeUTF8(from, (Py_ssize_t)n, "replace");
    if (message)
        PyErr_SetObject(exception_for(d->code), message);
    Py_XDECREF(message);
    return NULL;
}

/* The model is there and nobody else's; else false and an exception. */
static int ready(const model *m)
{
    if (!m->s)
        PyErr_SetString(PyExc_ValueError, "the model was not opened");
    else if (m->busy)
        PyErr_SetString(PyExc_RuntimeError,
                        "another thread is using this model; one at a time, or a model for each thread");
    return m->s && !m->busy;
}

/* ---- small values ---------------------------------------------------------------------------------------------- */

static PyObject *text(const char *s)
{
    return PyUnicode_DecodeUTF8(s, (Py_ssize_t)strlen(s), "replace");
}

/* Adds value, which it takes over, to a dictionary; false: an exception is set. */
static int put(PyObject *dict, const char *key, PyObject *value)
{
    const int ok = value && PyDict_SetItemString(dict, key, value) == 0;
    Py_XDECREF(value);
    return ok;
}

static PyObject *int_tuple(const int32_t *v, int n)
{
    PyObject *t = PyTuple_New(n);
    for (int i = 0; t && i < n; i++) {
        PyObject *x = PyLong_FromLong(v[i]);
        if (!x || PyTuple_SetItem(t, i, x) < 0)
            Py_CLEAR(t);
    }
    return t;
}

static PyObject *float_list(const float *v, int n)
{
    PyObject *list = PyList_New(n);
    for (int i = 0; list && i < n; i++) {
        PyObject *x = PyFloat_FromDouble((double)v[i]);
        if (!x || PyList_SetItem(list, i, x) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *scale_list(const float *scale, const int32_t *zero, int n)
{
    PyObject *list = PyList_New(n);
    for (int i = 0; list && i < n; i++) {
        PyObject *x = Py_BuildValue("(di)", (double)scale[i], (int)zero[i]);
        if (!x || PyList_SetItem(list, i, x) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* A list of n dictionaries that make(i) describes. */
static PyObject *dict_list(int n, PyObject *(*make)(const void *from, int i), const void *from)
{
    PyObject *list = PyList_New(n);
    for (int i = 0; list && i < n; i++) {
        PyObject *x = make(from, i);
        if (!x || PyList_SetItem(list, i, x) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

/* What opens: a simulator of that kind, with an ini a calibrator. */
typedef struct request {
    PyObject *path, *ini;
    int kind, threads;
    const char *soc;
} request;

static sgs_status open_model(model *m, const request *r, sgs_diag *d)
{
    const sgs_simulator_options o = { .kind = (sgs_kind)r->kind, .threads = r->threads };
    const char *path = PyBytes_AsString(r->path), *ini = r->ini ? PyBytes_AsString(r->ini) : NULL;
    sgs_status status;
    m->busy = 1;
    Py_BEGIN_ALLOW_THREADS
    status = ini ? sgs_calibrator_open(&m->c, path, ini, r->soc, d) : sgs_simulator_open(&m->s, path, &o, d);
    Py_END_ALLOW_THREADS
    m->busy = 0;
    if (m->c)
        m->s = sgs_calibrator_model(m->c);
    return status;
}

static int model_init(PyObject *self, PyObject *args, PyObject *kw)
{
    model *m = (model *)self;
    request r = { 0 };
    sgs_diag d = { 0 };
    if (m->s || m->busy) {
        PyErr_SetString(PyExc_RuntimeError, "the model is open already");
        return -1;
    }
    /* A converter that succeeded is cleaned up by the parser itself where a later one fails. */
    if (!PyArg_ParseTuple(args, "O&ii|O&z", PyUnicode_FSConverter, &r.path, &r.kind, &r.threads, PyUnicode_FSConverter,
                          &r.ini, &r.soc))
        return -1;
    const sgs_status status = open_model(m, &r, &d);
    Py_DECREF(r.path);
    Py_XDECREF(r.ini);
    if (status != SGS_OK)
        raise(&d);
    return status == SGS_OK ? 0 : -1;
}

static void model_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    model *m = (model *)self;
    if (m->c)
        sgs_calibrator_close(m->c);
    else
        sgs_simulator_close(m->s);
    Py_XDECREF(m->params);
    release(self);
    Py_DECREF((PyObject *)type); /* an object of a heap type holds it */
}

/* ---- what the model is ----------------------------------------------------------------------------------------- */

static PyObject *io_dict(const sgs_io_info *io, int index)
{
    static const char *const dtype[] = {
        [SGS_DT_FLOAT32] = "float32", [SGS_DT_UINT8] = "uint8", [SGS_DT_INT16] = "int16",
        [SGS_DT_UINT16] = "uint16",   [SGS_DT_INT32] = "int32", [SGS_DT_BOOL] = "bool"
    };
    PyObject *d = PyDict_New();
    if (d && put(d, "index", PyLong_FromLong(index)) && put(d, "shape", int_tuple(io->dim, io->rank)) &&
        put(d, "name", text(io->name)) && put(d, "dtype", text(dtype[io->dtype])) &&
        put(d, "layouts", text(io->layout)) && put(d, "training_input_formats", text(io->training_format)) &&
        put(d, "input_formats", text(io->format)) &&
        put(d, "input_width_alignment", PyLong_FromLong(io->width_align)) &&
        put(d, "input_height_alignment", PyLong_FromLong(io->height_align)) &&
        put(d, "quantization", scale_list(io->scale, io->zero, io->nscale)) &&
        put(d, "extern_shape", int_tuple(io->array_dim, io->array_rank)) && put(d, "bytes", PyLong_FromSize_t(io->bytes)))
        return d;
    Py_XDECREF(d);
    return NULL;
}

static PyObject *input_dict(const void *s, int i)
{
    return io_dict(sgs_simulator_input(s, i), i);
}

static PyObject *output_dict(const void *s, int i)
{
    return io_dict(sgs_simulator_output(s, i), i);
}

static PyObject *model_inputs(PyObject *self, PyObject *unused)
{
    model *m = (model *)self;
    return ready(m) ? dict_list(sgs_simulator_inputs(m->s), input_dict, m->s) : NULL;
}

static PyObject *model_outputs(PyObject *self, PyObject *unused)
{
    model *m = (model *)self;
    return ready(m) ? dict_list(sgs_simulator_outputs(m->s), output_dict, m->s) : NULL;
}

static PyObject *tensor_dict(const void *from, int i)
{
    const sgs_tensor_info *t = &((const sgs_details *)from)->tensor[i];
    PyObject *d = PyDict_New();
    if (d && put(d, "dtype", text(t->dtype)) && put(d, "name", text(t->name)) && put(d, "qtype", text(t->qtype)) &&
        put(d, "shape", int_tuple(t->dim, t->rank)) && put(d, "min", float_list(t->lo, t->nrange)) &&
        put(d, "max", float_list(t->hi, t->nrange)) &&
        put(d, "quantization", scale_list(t->scale, t->zero, t->nscale)) &&
        put(d, "constant", PyBool_FromLong(t->constant)))
        return d;
    Py_XDECREF(d);
    return NULL;
}

/* Names of tensors; None for an optional input that is absent. */
static PyObject *names(const sgs_details *details, const int *at, int n)
{
    PyObject *list = PyList_New(n);
    for (int i = 0; list && i < n; i++) {
        PyObject *x = at[i] < 0 ? Py_BuildValue("") : text(details->tensor[at[i]].name);
        if (!x || PyList_SetItem(list, i, x) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *operator_dict(const void *from, int i)
{
    const sgs_details *details = from;
    const sgs_op_info *op = &details->op[i];
    PyObject *d = PyDict_New();
    if (d && put(d, "index", PyLong_FromLong(i)) && put(d, "name", text(op->name)) && put(d, "op_name", text(op->op)) &&
        put(d, "inputs", names(details, op->in, op->nin)) && put(d, "outputs", names(details, op->out, op->nout)))
        return d;
    Py_XDECREF(d);
    return NULL;
}

static const sgs_details *details_of(model *m)
{
    const sgs_details *details = NULL;
    sgs_diag d = { 0 };
    if (ready(m) && sgs_simulator_details(m->s, &details, &d) != SGS_OK)
        raise(&d);
    return details;
}

static PyObject *model_tensors(PyObject *self, PyObject *unused)
{
    const sgs_details *details = details_of((model *)self);
    return details ? dict_list(details->ntensor, tensor_dict, details) : NULL;
}

static PyObject *model_operators(PyObject *self, PyObject *unused)
{
    const sgs_details *details = details_of((model *)self);
    return details ? dict_list(details->nop, operator_dict, details) : NULL;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static PyObject *model_set_input(PyObject *self, PyObject *args)
{
    model *m = (model *)self;
    sgs_diag d = { 0 };
    int i;
    unsigned long long address;
    Py_ssize_t bytes;
    if (!PyArg_ParseTuple(args, "iKn", &i, &address, &bytes) || !ready(m))
        return NULL;
    if (bytes < 0 || (bytes && !address)) {
        PyErr_SetString(PyExc_ValueError, "expected the address of an array and its bytes");
        return NULL;
    }
    if (sgs_simulator_lend_input(m->s, i, (const void *)(uintptr_t)address, (size_t)bytes, &d) != SGS_OK)
        return raise(&d);
    Py_RETURN_NONE;
}

static PyObject *model_batches(PyObject *self, PyObject *unused)
{
    model *m = (model *)self;
    if (!ready(m))
        return NULL;
    const sgs_batches *b = sgs_simulator_batches(m->s);
    return Py_BuildValue("(ON)", b->one_buf ? Py_True : Py_False, int_tuple(b->size, b->count));
}

static PyObject *model_set_batch(PyObject *self, PyObject *args)
{
    model *m = (model *)self;
    sgs_diag d = { 0 };
    int n;
    if (!PyArg_ParseTuple(args, "i", &n) || !ready(m))
        return NULL;
    if (sgs_simulator_set_batch(m->s, n, &d) != SGS_OK)
        return raise(&d);
    Py_RETURN_NONE;
}

static PyObject *model_invoke(PyObject *self, PyObject *unused)
{
    model *m = (model *)self;
    sgs_diag d = { 0 };
    sgs_status status;
    if (!ready(m))
        return NULL;
    m->busy = 1;
    Py_BEGIN_ALLOW_THREADS
    status = m->c ? sgs_calibrator_invoke(m->c, &d) : sgs_simulator_invoke(m->s, &d);
    Py_END_ALLOW_THREADS
    m->busy = 0;
    if (status != SGS_OK)
        return raise(&d);
    Py_RETURN_NONE;
}

static PyObject *model_get_output(PyObject *self, PyObject *args)
{
    model *m = (model *)self;
    int i;
    unsigned long long address;
    Py_ssize_t bytes;
    if (!PyArg_ParseTuple(args, "iKn", &i, &address, &bytes) || !ready(m))
        return NULL;
    const sgs_io_info *io = sgs_simulator_output(m->s, i);
    const void *from = sgs_simulator_get_output(m->s, i);
    if (!io || bytes < 0 || (size_t)bytes != io->bytes || (bytes && !address)) {
        PyErr_SetString(PyExc_ValueError, "expected an output's number, and the address and bytes of an array for it");
        return NULL;
    }
    if (!from) {
        PyErr_SetString(PyExc_ValueError, "the model has not run: call invoke() first");
        return NULL;
    }
    memcpy((void *)(uintptr_t)address, from, (size_t)bytes);
    Py_RETURN_NONE;
}

/* ---- log lines: kept while the interpreter's lock is free, afterwards a list ----------------------------------- */

typedef struct lines {
    char *p; /* each "w" or " ", its text, a NUL */
    size_t n;
} lines;

static void keep_line(void *user, bool warning, const char *line)
{
    lines *l = user;
    const size_t n = strlen(line) + 2;
    char *p = realloc(l->p, l->n + n);
    if (!p)
        return; /* the result matters more than what is said of it */
    p[l->n] = warning ? 'w' : ' ';
    memcpy(p + l->n + 1, line, n - 1);
    l->p = p;
    l->n += n;
}

/* Of (is a warning, text); frees l. */
static PyObject *line_list(lines *l)
{
    PyObject *list = PyList_New(0);
    for (size_t at = 0; list && at < l->n; at += strlen(l->p + at) + 1) {
        PyObject *line = text(l->p + at + 1),
                 *pair = line ? Py_BuildValue("(ON)", l->p[at] == 'w' ? Py_True : Py_False, line) : NULL;
        if (!pair || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    free(l->p);
    *l = (lines){ 0 };
    return list;
}

/* (path, lines) of a stage that wrote `path`, which is freed; or its failure. */
static PyObject *written(sgs_status status, const sgs_diag *d, char *path, lines *l)
{
    PyObject *said = line_list(l), *result = NULL;
    if (status != SGS_OK)
        raise(d);
    else if (!path)
        PyErr_NoMemory();
    else if (said)
        result = Py_BuildValue("(NO)", PyUnicode_DecodeFSDefault(path), said);
    Py_XDECREF(said);
    sgs_free(path);
    return result;
}

/* ---- calibration ----------------------------------------------------------------------------------------------- */

static int is_calibrator(const model *m)
{
    if (!ready(m))
        return 0;
    if (!m->c)
        PyErr_SetString(PyExc_TypeError, "expected a calibrator, found a simulator");
    return m->c != NULL;
}

static PyObject *model_take(PyObject *self, PyObject *unused)
{
    model *m = (model *)self;
    sgs_diag d = { 0 };
    void *data;
    size_t n;
    if (!is_calibrator(m))
        return NULL;
    if (sgs_calibrator_take(m->c, &data, &n, &d) != SGS_OK)
        return raise(&d);
    PyObject *bytes = PyBytes_FromStringAndSize(data, (Py_ssize_t)n);
    sgs_free(data);
    return bytes;
}

static PyObject *model_add(PyObject *self, PyObject *args)
{
    model *m = (model *)self;
    sgs_diag d = { 0 };
    const char *data;
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "y#", &data, &n) || !is_calibrator(m))
        return NULL;
    if (sgs_calibrator_add(m->c, data, (size_t)n, &d) != SGS_OK)
        return raise(&d);
    Py_RETURN_NONE;
}

static PyObject *model_clear(PyObject *self, PyObject *unused)
{
    model *m = (model *)self;
    if (!is_calibrator(m))
        return NULL;
    sgs_calibrator_clear(m->c);
    Py_RETURN_NONE;
}

/* (path or None[, bytes]) */
static PyObject *model_import(PyObject *self, PyObject *args)
{
    model *m = (model *)self;
    PyObject *path = NULL, *bytes = NULL, *old = m->params;
    char *data = NULL;
    Py_ssize_t n = 0;
    sgs_diag d = { 0 };
    sgs_status status;
    if (!PyArg_ParseTuple(args, "O|S", &path, &bytes) || !is_calibrator(m))
        return NULL;
    if (bytes && PyBytes_AsStringAndSize(bytes, &data, &n) < 0)
        return NULL;
    PyObject *encoded = NULL;
    if (path != Py_None && !PyUnicode_FSConverter(path, &encoded))
        return NULL;
    m->busy = 1;
    Py_BEGIN_ALLOW_THREADS
    status = sgs_calibrator_import(m->c, encoded ? PyBytes_AsString(encoded) : NULL, data, (size_t)n, &d);
    Py_END_ALLOW_THREADS
    m->busy = 0;
    m->s = sgs_calibrator_model(m->c);
    Py_XDECREF(encoded);
    if (status != SGS_OK)
        return raise(&d);
    Py_XINCREF(bytes);
    m->params = bytes;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *model_tie(PyObject *self, PyObject *args)
{
    model *m = (model *)self, *other;
    PyObject *object;
    int output, input;
    const char *level = NULL;
    bool changed = false;
    sgs_diag d = { 0 };
    sgs_status status;
    if (!PyArg_ParseTuple(args, "iO!iz", &output, Py_TYPE(self), &object, &input, &level) || !is_calibrator(m))
        return NULL;
    other = (model *)object;
    if (!is_calibrator(other))
        return NULL;
    m->busy = other->busy = 1;
    Py_BEGIN_ALLOW_THREADS
    status = sgs_calibrator_tie(m->c, output, other->c, input, level, &changed, &d);
    Py_END_ALLOW_THREADS
    m->busy = other->busy = 0;
    return status == SGS_OK ? PyBool_FromLong(changed) : raise(&d);
}

static PyObject *model_write(PyObject *self, PyObject *args)
{
    model *m = (model *)self;
    PyObject *output = NULL;
    const char *level = NULL;
    int threads = 1;
    char *path = NULL;
    lines said = { 0 };
    sgs_diag d = { 0 };
    sgs_status status;
    if (!PyArg_ParseTuple(args, "O&z|i", PyUnicode_FSConverter, &output, &level, &threads))
        return NULL;
    if (!is_calibrator(m)) {
        Py_DECREF(output);
        return NULL;
    }
    const sgs_calibrator_options o = { .output = PyBytes_AsString(output),
                                       .quant_level = level,
                                       .threads = threads,
                                       .log = { .line = keep_line, .user = &said } };
    m->busy = 1;
    Py_BEGIN_ALLOW_THREADS
    status = sgs_calibrator_write(m->c, &o, &path, &d);
    Py_END_ALLOW_THREADS
    m->busy = 0;
    Py_DECREF(output);
    return written(status, &d, path, &said);
}

/* ---- the module ------------------------------------------------------------------------------------------------ */

static PyMethodDef model_methods[] = {
    { "inputs", model_inputs, METH_NOARGS, "A dictionary for each input." },
    { "outputs", model_outputs, METH_NOARGS, "A dictionary for each output." },
    { "tensors", model_tensors, METH_NOARGS, "A dictionary for each tensor." },
    { "operators", model_operators, METH_NOARGS, "A dictionary for each operator." },
    { "set_input", model_set_input, METH_VARARGS,
      "(index, address, bytes): a contiguous array that stays there until that input or the batch is set again." },
    { "batches", model_batches, METH_NOARGS,
      "(elements are stacked in one buffer, sizes): these sizes; or, where they are not stacked, up to the only one." },
    { "set_batch", model_set_batch, METH_VARARGS, "(elements): of the runs that follow; inputs are to be set anew." },
    { "invoke", model_invoke, METH_NOARGS, "Runs the model." },
    { "get_output", model_get_output, METH_VARARGS, "(index, address, bytes): copies an output out." },
    { "take", model_take, METH_NOARGS, "Of a calibrator: the statistics of its runs since the last call, as bytes." },
    { "add", model_add, METH_VARARGS, "(bytes): statistics, to those that the fixed-point model is made from." },
    { "clear", model_clear, METH_NOARGS, "Of a calibrator: forgets every statistic." },
    { "import_parameters", model_import, METH_VARARGS,
      "(path or None[, bytes]): quantization parameters to take; statistics are forgotten." },
    { "tie", model_tie, METH_VARARGS,
      "(output, other, input, level): an output of this goes into an input of the other as it is; whether that changed "
      "a "
      "scale." },
    { "write", model_write, METH_VARARGS, "(output, level[, threads]): the fixed-point model; (path, [(is a warning, text)])." },
    { NULL, NULL, 0, NULL },
};

static PyType_Slot model_slots[] = {
    { Py_tp_doc, (void *)"(path, kind, threads[, ini, soc_version]): an open model; kind 1 float, 2 fixed, 3 offline, "
                         "with an ini a calibrator." },
    { Py_tp_init, (void *)model_init },
    { Py_tp_dealloc, (void *)model_dealloc },
    { Py_tp_methods, model_methods },
    { 0, NULL },
};

static PyType_Spec model_spec = { "calibrator_custom._sgs.Model", sizeof(model), 0, Py_TPFLAGS_DEFAULT, model_slots };

static PyObject *check_soc_version(PyObject *self, PyObject *args)
{
    const char *name;
    sgs_diag d = { 0 };
    if (!PyArg_ParseTuple(args, "s", &name))
        return NULL;
    if (sgs_check_soc_version(name, &d) != SGS_OK)
        return raise(&d);
    Py_RETURN_NONE;
}

static PyObject *compile_model(PyObject *self, PyObject *args)
{
    PyObject *model_path = NULL, *output = NULL;
    char *path = NULL;
    lines said = { 0 };
    sgs_compile_options o = { .log = { .line = keep_line, .user = &said } };
    sgs_diag d = { 0 };
    sgs_status status;
    if (!PyArg_ParseTuple(args, "O&zzzz|O&", PyUnicode_FSConverter, &model_path, &o.batch, &o.batch_mode, &o.category,
                          &o.soc_version, PyUnicode_FSConverter, &output))
        return NULL;
    o.model = PyBytes_AsString(model_path);
    o.output = output ? PyBytes_AsString(output) : NULL;
    Py_BEGIN_ALLOW_THREADS
    status = sgs_compile(&o, &path, NULL, &d);
    Py_END_ALLOW_THREADS
    Py_DECREF(model_path);
    Py_XDECREF(output);
    return written(status, &d, path, &said);
}

/* Fills the description with a tuple of sizes; 0: an exception is set. */
static int take_dims(PyObject *shape, sgs_io_info *io)
{
    const Py_ssize_t n = PyTuple_Check(shape) ? PyTuple_Size(shape) : -1;
    if (n < 0 || n > 8) {
        PyErr_SetString(PyExc_TypeError, "expected a tuple of at most 8 sizes");
        return 0;
    }
    io->rank = (int)n;
    for (int i = 0; i < io->rank; i++) {
        const long v = PyLong_AsLong(PyTuple_GetItem(shape, i));
        if (PyErr_Occurred())
            return 0;
        if (v < 1 || v > INT32_MAX) {
            PyErr_SetString(PyExc_ValueError, "expected sizes of 1 or more");
            return 0;
        }
        io->dim[i] = (int32_t)v;
    }
    return 1;
}

static int take_input(PyObject *args, sgs_io_info *io, unsigned long long *from, unsigned long long *to)
{
    PyObject *shape;
    sgs_diag d = { 0 };
    if (!PyArg_ParseTuple(args, "sOsssiiKK", &io->name, &shape, &io->training_format, &io->format, &io->layout,
                          &io->width_align, &io->height_align, from, to) ||
        !take_dims(shape, io))
        return 0;
    if (sgs_describe_input(io, &d) == SGS_OK)
        return 1;
    raise(&d);
    return 0;
}

static PyObject *to_input_format(PyObject *self, PyObject *args)
{
    sgs_io_info io = { 0 };
    sgs_diag d = { 0 };
    unsigned long long from, to;
    size_t bytes = 1;
    if (!take_input(args, &io, &from, &to))
        return NULL;
    for (int i = 0; i < io.rank; i++)
        bytes *= (size_t)io.dim[i];
    if (to && sgs_to_input_format(&io, (const void *)(uintptr_t)from, bytes, (void *)(uintptr_t)to, &d) != SGS_OK)
        return raise(&d);
    return int_tuple(io.array_dim, io.array_rank);
}

static PyMethodDef functions[] = {
    { "to_input_format", to_input_format, METH_VARARGS,
      "(name, shape, training, format, layout, width_align, height_align, from, to): the shape of what set_input takes; "
      "where `to` is not 0, it is the address of such an array, which is made from the picture at `from`." },

    { "compile", compile_model, METH_VARARGS,
      "(model, batch, batch_mode, category, soc_version[, output]): as Model.write." },
    { "check_soc_version", check_soc_version, METH_VARARGS, "(name): raises where we compile for no such chip." },
    { NULL, NULL, 0, NULL },
};

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&model_spec);
    if (!type || PyModule_AddStringConstant(module, "VERSION", SGS_VERSION) < 0 ||
        PyModule_AddObject(module, "Model", type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    return 0;
}

static PyModuleDef_Slot module_slots[] = { { Py_mod_exec, (void *)module_exec }, { 0, NULL } };
static struct PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "_sgs", .m_methods = functions, .m_slots = module_slots
};

PyMODINIT_FUNC PyInit__sgs(void);
PyMODINIT_FUNC PyInit__sgs(void)
{
    return PyModuleDef_Init(&module_def);
}
