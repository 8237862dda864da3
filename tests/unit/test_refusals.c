/* Graphs that are refused, each with its message: blocks of graph text in refusals.txt, a line "= MESSAGE" behind each.
 * Where a text is whole, the verifier looks at it, then it is lowered to a program, as for a file that somebody else
 * made.
 *
 * test_refusals [--show] FILE      --show prints what is said instead of comparing it
 */
#include <stdio.h>
#include <string.h>

#include "compile/lower.h"
#include "compile/program.h"

static bool show;
static int line, blocks, wrong;

/* "LAYER: TEXT", or the text alone; "" when nothing refuses the graph. */
static void say(const char *text, size_t n, char *out, size_t room)
{
    sgs_graph *g;
    sgs_program p = { 0 };
    sgs_diag d = { 0 };
    sgs_status s = sgs_graph_parse(&g, "g", (sgs_span){ (const uint8_t *)text, n }, &d);
    if (s == SGS_OK) {
        s = sgs_graph_verify(g, &d);
        if (s == SGS_OK) {
            s = sgs_lower(&p, g, &d);
            sgs_program_free(&p);
        }
        sgs_graph_free(g);
    }
    snprintf(out, room, "%s%s%s", d.layer, d.layer[0] ? ": " : "", s == SGS_OK ? "" : d.text);
}

static void check(const sgs_buf *block, const char *expected)
{
    char said[2048];
    say(block->p, block->n, said, sizeof said);
    blocks++;
    if (show)
        printf("%.*s= %s\n\n", (int)block->n, block->p, said);
    else if (strcmp(said, expected)) {
        printf("refusals.txt:%d: expected\n  %s\nfound\n  %s\n", line, expected, said);
        wrong++;
    }
}

int main(int argc, char **argv)
{
    char text[4096];
    sgs_buf block = { 0 };
    show = argc == 3 && !strcmp(argv[1], "--show");
    FILE *f = argc >= 2 ? fopen(argv[argc - 1], "r") : NULL;
    if (!f)
        return 2;
    while (fgets(text, sizeof text, f)) {
        line++;
        if (text[0] == '\n') {
            block.n = 0;
        } else if (text[0] == '=') {
            text[strcspn(text, "\n")] = '\0';
            check(&block, text + 2);
            block.n = 0;
        } else {
            sgs_buf_add(&block, text, strlen(text));
        }
    }
    fclose(f);
    sgs_buf_free(&block);
    if (!show)
        printf("%d refusals, %d other than expected\n", blocks, wrong);
    return blocks == 0 || wrong != 0;
}
