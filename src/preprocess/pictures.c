#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preprocess/workers.h"

static bool is_list(const char *path)
{
    static const char *const suffix[] = { ".txt", ".list", ".lst" };
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < 3; i++)
        if (!strcasecmp(dot, suffix[i]))
            return true;
    return false;
}

static void list_form_hint(sgs_diag *d, int ninput)
{
    sgs_buf line = { 0 };
    for (int i = 0; i < ninput && i < 8; i++)
        sgs_buf_printf(&line, "%s/path/to/input%d", i ? "," : "", i + 1);
    sgs_hint(d, "write a list file, input_list.txt, with a line for each sample: %s", line.p);
    sgs_buf_free(&line);
}

static sgs_status one_input_only(const char *what, const char *path, int ninput, sgs_diag *d)
{
    sgs_fail(d, SGS_E_USAGE, "-i %s is %s, but the model has %d inputs", path, what, ninput);
    list_form_hint(d, ninput);
    return SGS_E_USAGE;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All regular files that are not hidden, in byte order of name; no subfolders. */
static sgs_status list_folder(sgs_pictures *p, sgs_arena *a, const char *folder, sgs_diag *d)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        sgs_fail(d, SGS_E_FILE, "cannot read the folder: %s", strerror(errno));
        return sgs_fail_at(d, folder, 0, NULL), SGS_E_FILE;
    }
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    sgs_buf paths = { 0 };
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        char *path = sgs_format(a, "%s%s%s", folder, slash, e->d_name);
        struct stat st;
        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        sgs_buf_add(&paths, &path, sizeof path);
        p->count++;
    }
    closedir(dir);
    p->path = SGS_NEW_N(a, char *, p->count);
    if (p->count)
        memcpy(p->path, paths.p, paths.n);
    sgs_buf_free(&paths);
    qsort(p->path, (size_t)p->count, sizeof *p->path, by_bytes);
    if (p->count)
        return SGS_OK;
    sgs_fail(d, SGS_E_DATA, "expected pictures, found no file in the folder");
    return sgs_fail_at(d, folder, 0, NULL), SGS_E_DATA;
}

/* ---- list files ------------------------------------------------------------------------------------------------ */

typedef struct list {
    const char *file;
    int line, ninput;
    sgs_arena *a;
    sgs_buf paths; /* char * */
    int count;
} list;

static sgs_status list_fail(const list *l, sgs_diag *d, sgs_status code)
{
    sgs_fail_at(d, l->file, l->line, NULL);
    return code;
}

/* As the working directory sees it, else as the list's folder does. */
static sgs_status find_picture(const list *l, char *path, char **found, sgs_diag *d)
{
    struct stat st;
    *found = path;
    int bad = stat(path, &st) < 0 ? errno : 0;
    const char *slash = strrchr(l->file, '/');
    if (bad && path[0] != '/' && slash) {
        *found = sgs_format(l->a, "%.*s%s", (int)(slash + 1 - l->file), l->file, path);
        if (stat(*found, &st) == 0)
            bad = 0;
    }
    if (bad) {
        sgs_fail(d, SGS_E_FILE, "picture '%.400s': %s", path, strerror(bad));
        sgs_hint(d, "paths count from the working directory, then from the list's folder");
        return list_fail(l, d, SGS_E_FILE);
    }
    if (!S_ISREG(st.st_mode)) {
        sgs_fail(d, SGS_E_FILE, "picture '%.400s': expected a file, found %s", path,
                 S_ISDIR(st.st_mode) ? "a folder" : "something else");
        return list_fail(l, d, SGS_E_FILE);
    }
    return SGS_OK;
}

static const char *trim(const char *p, const char **end)
{
    while (p < *end && strchr(" \t\r", *p))
        p++;
    while (*end > p && strchr(" \t\r", (*end)[-1]))
        --*end;
    return p;
}

static int commas(const char *p, const char *end)
{
    int n = 0;
    for (; p < end; p++)
        n += *p == ',';
    return n;
}

/* One sample a line.  With one input the whole line is the path, commas and all. */
static sgs_status read_line(list *l, const char *p, const char *end, sgs_diag *d)
{
    p = trim(p, &end);
    if (p == end)
        return SGS_OK;
    const int n = l->ninput == 1 ? 1 : commas(p, end) + 1;
    if (n != l->ninput) {
        sgs_fail(d, SGS_E_DATA, "expected %d paths, one for each input of the model, found %d", l->ninput, n);
        list_form_hint(d, l->ninput);
        return list_fail(l, d, SGS_E_DATA);
    }
    for (int i = 0; i < n; i++) {
        const char *to = l->ninput == 1 ? NULL : memchr(p, ',', (size_t)(end - p));
        const char *stop = to ? to : end;
        const char *from = trim(p, &stop);
        char *found;
        SGS_TRY(find_picture(l, sgs_strndup(l->a, from, (size_t)(stop - from)), &found, d));
        sgs_buf_add(&l->paths, &found, sizeof found);
        p = to ? to + 1 : end;
    }
    l->count++;
    return SGS_OK;
}

static sgs_status read_lines(list *l, sgs_span text, sgs_diag *d)
{
    const char *p = (const char *)text.p, *end = p + text.n;
    if (text.n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
        p += 3;
    if (text.n && memchr(p, 0, (size_t)(end - p))) {
        sgs_fail(d, SGS_E_DATA, "expected a list of paths, found a zero byte");
        sgs_hint(d, "names that end in .txt, .list and .lst are taken for lists of samples");
        return list_fail(l, d, SGS_E_DATA);
    }
    for (l->line = 1; p < end; l->line++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        SGS_TRY(read_line(l, p, nl ? nl : end, d));
        p = nl ? nl + 1 : end;
    }
    l->line = 0;
    if (l->count)
        return SGS_OK;
    sgs_fail(d, SGS_E_DATA, "expected a list of paths, found no line with one");
    return list_fail(l, d, SGS_E_DATA);
}

static sgs_status list_file(sgs_pictures *p, sgs_arena *a, const char *path, sgs_diag *d)
{
    sgs_file f;
    SGS_TRY(sgs_file_open(&f, path, d));
    list l = { .file = path, .ninput = p->ninput, .a = a };
    sgs_status s = f.data.n ? read_lines(&l, f.data, d) : read_lines(&l, (sgs_span){ (const uint8_t *)"", 0 }, d);
    sgs_file_close(&f);
    if (s == SGS_OK) {
        p->count = l.count;
        p->path = SGS_NEW_N(a, char *, (size_t)l.count *(size_t)p->ninput);
        memcpy(p->path, l.paths.p, l.paths.n);
    }
    sgs_buf_free(&l.paths);
    return s;
}

sgs_status sgs_pictures_list(sgs_pictures *p, sgs_arena *a, const char *images, int ninput, sgs_diag *d)
{
    *p = (sgs_pictures){ .ninput = ninput };
    struct stat st;
    if (!images || !images[0])
        return sgs_fail(d, SGS_E_USAGE, "expected a picture, a folder or a list file behind -i, found nothing");
    if (stat(images, &st) < 0)
        return sgs_fail(d, SGS_E_FILE, "-i %.900s: %s", images, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return ninput > 1 ? one_input_only("a folder", images, ninput, d) : list_folder(p, a, images, d);
    if (is_list(images))
        return list_file(p, a, images, d);
    if (ninput > 1)
        return one_input_only("a single file", images, ninput, d);
    p->count = 1;
    p->path = SGS_NEW_N(a, char *, 1);
    p->path[0] = sgs_strdup(a, images);
    return SGS_OK;
}
