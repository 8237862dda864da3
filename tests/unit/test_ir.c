/* The graph's own functions, and what only a program can break: graphs that no text can say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ops/op.h"
#include "pass/pass.h"

/* data -> relu -> sum = relu + relu */
typedef struct small {
    sgs_graph *g;
    sgs_value *data, *relu, *sum;
} small;

static sgs_value *put(sgs_graph *g, const sgs_op *op, int nin, sgs_value *const *in, const void *attr, const char *name)
{
    sgs_node *n = sgs_node_new(g, NULL, op, nin, in, attr);
    assert_int_equal(sgs_infer(g, n, NULL), SGS_OK);
    sgs_value_name(g, n->out[0], name);
    return n->out[0];
}

static small make(void)
{
    static const int64_t dim[] = { 1, 2 };
    small s = { .g = sgs_graph_new("small.onnx") };
    s.data = sgs_value_new(s.g, SGS_F32, 2, dim);
    sgs_value_name(s.g, s.data, "data");
    s.relu = put(s.g, &sgs_op_clip, 1, &s.data, &(sgs_act_attr){ 0, 1 }, "relu");
    s.sum = put(s.g, &sgs_op_add, 2, (sgs_value *[]){ s.relu, s.relu }, NULL, "sum");
    s.g->in = SGS_NEW(s.g->arena, sgs_value *);
    s.g->out = SGS_NEW(s.g->arena, sgs_value *);
    s.g->in[0] = s.data;
    s.g->out[0] = s.sum;
    s.g->nin = s.g->nout = 1;
    return s;
}

static void refused(small *s, const char *layer, const char *text)
{
    sgs_diag d = { 0 };
    assert_int_not_equal(sgs_graph_verify(s->g, &d), SGS_OK);
    assert_string_equal(d.file, "small.onnx");
    assert_string_equal(d.layer, layer);
    assert_string_equal(d.text, text);
    sgs_graph_free(s->g);
}

static void test_good(void **state)
{
    small s = make();
    assert_int_equal(sgs_graph_verify(s.g, NULL), SGS_OK);
    sgs_graph_free(s.g);
}

static void test_order(void **state)
{
    small s = make();
    sgs_node *relu = s.g->first, *sum = s.g->last;
    s.g->first = sum; /* the two change places */
    s.g->last = relu;
    sum->prev = relu->next = NULL;
    sum->next = relu;
    relu->prev = sum;
    refused(&s, "sum", "input 0, relu, is used before it is made by relu");
}

static void test_list(void **state)
{
    small s = make();
    s.g->last->prev = NULL;
    refused(&s, "relu", "the list of nodes is broken behind this node");
}

static void test_dangling(void **state)
{
    small s = make();
    s.g->last->in[1] = sgs_value_like(s.g, s.relu);
    refused(&s, "sum", "input 1, %3, is neither an input of the graph, nor a constant, nor made by a node");
}

static void test_ids(void **state)
{
    small s = make();
    s.sum->id = s.relu->id;
    refused(&s, "sum", "two values have the id 1");
    s = make();
    s.sum->id = 77;
    refused(&s, "", "value id 77 was never handed out (3 were)");
}

static void test_type(void **state)
{
    small s = make();
    s.sum->type = SGS_S8;
    refused(&s, "sum", "output 0 is s8[1,2]; its inputs give f32[1,2]");
    s = make();
    s.data->rank = 9;
    refused(&s, "data", "the value has rank 9; expected 0 to 8");
    s = make();
    s.data->dim[1] = -2;
    refused(&s, "data", "dim 1 is -2: negative, or more than 2^40 elements");
}

static void test_outputs(void **state)
{
    small s = make();
    s.data->type = SGS_TYPE_COUNT;
    refused(&s, "data", "the value has no type (11)");
    s = make();
    s.relu->def->nout = 0;
    refused(&s, "clip %-1", "clip makes 1 outputs, found 0");
    s = make();
    s.g->out[0] = sgs_value_like(s.g, s.relu);
    refused(&s, "the graph's output list", "input 0, %3, is neither an input of the graph, nor a constant, nor made by a node");
}

static void test_constant(void **state)
{
    small s = make();
    sgs_constant some = { .data = "12345678" };
    s.g->last->in[1] = sgs_value_like(s.g, s.relu);
    s.g->last->in[1]->constant = &some;
    s.g->last->in[1]->def = s.g->first;
    refused(&s, "sum", "input 1, %3, is a constant and yet has a producer");
    s = make();
    s.relu->constant = &some;
    refused(&s, "relu", "output 0, relu, is not marked as made here");
    s = make();
    s.data->constant = &some;
    refused(&s, "data", "an input of the graph has a producer or data");
}

static void test_quant(void **state)
{
    small s = make();
    s.data->quant = sgs_quant_new(s.g, 1, 2);
    s.data->quant->scale[0] = 1;
    refused(&s, "data", "scale 1 is 0; expected a finite number above 0");
    s = make();
    s.data->quant = sgs_quant_new(s.g, 2, 2);
    refused(&s, "data", "quantization runs along axis 2 of a value of rank 2");
    s = make();
    s.data->quant = sgs_quant_new(s.g, -1, 1);
    s.data->quant->scale[0] = 1;
    s.data->quant->nrange = 3;
    refused(&s, "data", "quantization keeps 3 ranges; expected none, one, or one per channel");
}

static void test_attributes(void **state)
{
    small s = make();
    s.g->first->attr = NULL;
    refused(&s, "relu", "clip has no attributes");
    s = make();
    s.g->first->op = &sgs_op_reshape;
    s.g->first->attr = &(sgs_shape_attr){ .n = 9 };
    refused(&s, "relu", "dim of reshape has 9 numbers; at most 8 fit");
    s = make();
    ((sgs_act_attr *)s.g->first->attr)->hi = __builtin_nanf("");
    refused(&s, "relu", "hi of clip is not a number");
    s = make();
    ((sgs_act_attr *)s.g->first->attr)->hi = -1;
    refused(&s, "relu", "the lower bound 0 must not exceed the upper bound -1");
}

static void test_users(void **state)
{
    small s = make();
    sgs_arena *a = sgs_arena_new();
    sgs_users *u = sgs_users_of(s.g, a);
    assert_int_equal(sgs_user_count(u, s.data), 1);
    assert_ptr_equal(sgs_only_user(u, s.data), s.relu->def);
    assert_int_equal(sgs_user_count(u, s.relu), 2); /* one a slot */
    assert_null(sgs_only_user(u, s.relu));
    assert_int_equal(sgs_user_count(u, s.sum), 1); /* the graph */
    assert_null(sgs_only_user(u, s.sum));
    sgs_arena_free(a);
    sgs_graph_free(s.g);
}

/* Kept users follow each change, and the verifier tells when they do not. */
static void test_kept_users(void **state)
{
    small s = make();
    sgs_diag d = { 0 };
    assert_true(sgs_users_keep(s.g));
    assert_false(sgs_users_keep(s.g));
    sgs_value *other = put(s.g, &sgs_op_clip, 1, &s.data, &(sgs_act_attr){ 0, 6 }, "other");
    assert_int_equal(sgs_user_count(s.g->users, s.data), 2);
    assert_int_equal(sgs_user_count(s.g->users, other), 0);
    assert_true(sgs_has_other_user(s.g, s.data, other->def));
    sgs_node_set_in(s.g, s.sum->def, 0, other);
    assert_ptr_equal(sgs_only_user(s.g->users, other), s.sum->def);
    sgs_node_set_in(s.g, s.sum->def, 0, s.relu);
    sgs_replace_uses(s.g, s.sum, other);
    assert_int_equal(sgs_output_count(s.g->users, other), 1);
    assert_int_equal(sgs_user_count(s.g->users, s.sum), 0);
    sgs_users_hold(s.g, true);
    sgs_node_remove(s.g, s.sum->def);
    sgs_users_hold(s.g, false);
    assert_int_equal(sgs_user_count(s.g->users, s.relu), 2);
    sgs_users_release(s.g);
    assert_int_equal(sgs_user_count(s.g->users, s.relu), 0);
    assert_int_equal(sgs_graph_verify(s.g, NULL), SGS_OK);
    sgs_value *by_hand = s.g->out[0] = s.relu;
    assert_int_equal(sgs_graph_verify(s.g, &d), SGS_E_INTERNAL);
    char want[128];
    snprintf(want, sizeof want, "%%%d: users 1, of them outputs of the graph 1; kept are 0", by_hand->id);
    assert_string_equal(d.text, want);
    s.g->out[0] = other;
    other->def->in[0] = s.relu;
    assert_int_equal(sgs_graph_verify(s.g, &d), SGS_E_INTERNAL);
    assert_string_equal(d.text, "input 0 changed behind the back of the users that are kept");
    sgs_users_forget(s.g);
    assert_int_equal(sgs_graph_verify(s.g, NULL), SGS_OK);
    sgs_graph_free(s.g);
}

static void test_replace(void **state)
{
    small s = make();
    sgs_value *other = put(s.g, &sgs_op_clip, 1, &s.data, &(sgs_act_attr){ 0, 6 }, "other");
    sgs_replace_uses(s.g, s.sum, other);
    assert_ptr_equal(s.g->out[0], other);
    sgs_node_remove(s.g, s.sum->def);
    assert_null(s.sum->def);
    assert_ptr_equal(s.g->last, other->def);
    assert_ptr_equal(other->def->prev, s.relu->def);
    assert_int_equal(sgs_graph_verify(s.g, NULL), SGS_OK);
    sgs_graph_free(s.g);
}

static void test_names(void **state)
{
    small s = make();
    sgs_value_name(s.g, s.sum, "total");
    sgs_value_name(s.g, s.sum, "total");
    sgs_value_name(s.g, s.sum, "");
    assert_int_equal(s.sum->nname, 2);
    assert_ptr_equal(sgs_find_value(s.g, "total"), s.sum);
    assert_string_equal(sgs_value_label(s.g, s.sum), "sum");
    assert_null(sgs_find_value(s.g, "nobody"));
    sgs_value_swallow(s.g, s.sum, s.relu);
    assert_null(sgs_find_value(s.g, "relu"));
    assert_ptr_equal(sgs_find_swallowed(s.g, "relu"), s.sum);
    sgs_value *moved = sgs_value_like(s.g, s.sum);
    sgs_value_take_names(s.g, moved, s.sum);
    assert_int_equal(moved->nname, 2);
    assert_int_equal(moved->nswallowed, 1);
    assert_int_equal(s.sum->nname + s.sum->nswallowed, 0);
    assert_string_equal(sgs_node_label(s.g, s.sum->def), "add %2");
    s.sum->def->name = "the node";
    assert_string_equal(sgs_node_label(s.g, s.sum->def), "the node");
    sgs_graph_free(s.g);
}

static void test_meta(void **state)
{
    small s = make();
    sgs_meta_set(s.g, "a", "1", 1);
    sgs_meta_set(s.g, "b", NULL, 0);
    sgs_meta_set(s.g, "a", "23", 2);
    assert_int_equal(sgs_meta_get(s.g, "a")->data.n, 2);
    assert_memory_equal(sgs_meta_get(s.g, "a")->data.p, "23", 2);
    assert_int_equal(sgs_meta_get(s.g, "b")->data.n, 0);
    assert_null(sgs_meta_get(s.g, "c"));
    assert_string_equal(s.g->meta->name, "a");
    sgs_graph_free(s.g);
}

static void test_infer_limits(void **state)
{
    static const int64_t dim[] = { 1 << 20, 1 << 20 };
    sgs_graph *g = sgs_graph_new(NULL);
    sgs_diag d = { 0 };
    sgs_value *x = sgs_value_new(g, SGS_F32, 2, dim);
    sgs_node *n = sgs_node_new(g, NULL, &sgs_op_concat, 2, (sgs_value *[]){ x, x }, NULL);
    assert_int_equal(sgs_infer(g, n, &d), SGS_E_LIMIT);
    assert_string_equal(d.text, "the output would have more than 2^40 elements");
    n = sgs_node_new(g, NULL, &sgs_op_add, 1, &x, NULL);
    assert_int_equal(sgs_infer(g, n, &d), SGS_E_MODEL);
    assert_string_equal(d.text, "expected at least 2 inputs, found 1");
    sgs_graph_free(g);
}

/* ---- the pass driver ------------------------------------------------------------------------- */

typedef struct lines {
    int n;
    char first[128];
} lines;

static void take_line(void *user, bool warning, const char *text)
{
    lines *l = user;
    assert_false(warning);
    if (!l->n++)
        snprintf(l->first, sizeof l->first, "%s", text);
}

static void test_dump_after(void **state)
{
    small s = make();
    lines l = { 0 };
    sgs_log log = { .line = take_line, .user = &l };
    sgs_diag d = { 0 };
    assert_int_equal(sgs_run_passes(s.g, &(sgs_pass_options){ .dump_after = "fuse-act", .log = &log }, &d), SGS_OK);
    assert_string_equal(l.first, "# after fuse-act, round 1");
    assert_int_equal(l.n, 5);
    assert_int_equal(sgs_run_passes(s.g, &(sgs_pass_options){ .dump_after = "fuse-axt" }, &d), SGS_E_USAGE);
    assert_string_equal(d.text, "there is no pass 'fuse-axt'");
    assert_string_equal(d.hint, "did you mean 'fuse-act'?");
    sgs_graph_free(s.g);
}

static void test_verify_option(void **state)
{
    small s = make();
    sgs_diag d = { 0 };
    s.sum->dim[1] = 3;
    assert_int_equal(sgs_run_passes(s.g, &(sgs_pass_options){ .verify = true }, &d), SGS_E_INTERNAL);
    assert_string_equal(d.text, "after import the graph is broken: output 0 is f32[1,3]; its inputs give f32[1,2]");
    sgs_graph_free(s.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),          cmocka_unit_test(test_order),        cmocka_unit_test(test_list),
        cmocka_unit_test(test_dangling),      cmocka_unit_test(test_ids),          cmocka_unit_test(test_type),
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_outputs),      cmocka_unit_test(test_quant),        cmocka_unit_test(test_users),
        cmocka_unit_test(test_kept_users),
        cmocka_unit_test(test_replace),       cmocka_unit_test(test_names),        cmocka_unit_test(test_meta),
        cmocka_unit_test(test_attributes),    cmocka_unit_test(test_infer_limits), cmocka_unit_test(test_dump_after),
        cmocka_unit_test(test_verify_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
