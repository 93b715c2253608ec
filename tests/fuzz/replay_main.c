/* Runs a fuzz target over files that are there already, with any compiler: the corpora are tests. Every argument is a
 * file or a folder of files; the empty input always runs. The hard thing is to fail when nothing was read: a corpus
 * that went missing must not pass. */
#include "input.h"

#include "base/buf.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static bool read_file(const char *name, struct cg_buf *to) {
    FILE *file = fopen(name, "rb");
    if (file == NULL) return false;
    enum { CHUNK = 65536 };
    for (uint8_t *room; (room = cg_buf_reserve(to, CHUNK)) != NULL;) {
        size_t got = fread(room, 1, CHUNK, file);
        if (got == 0) break;
        to->len += got;
    }
    bool good = !ferror(file) && !to->failed;
    fclose(file);
    return good;
}

static bool replay_file(const char *name) {
    struct cg_buf bytes;
    cg_buf_init(&bytes, 0);
    bool good = read_file(name, &bytes);
    if (good) {
        struct cg_slice exact = input_exact(cg_buf_slice(&bytes));
        fprintf(stderr, "%s\n", name); /* the last line names the culprit */
        LLVMFuzzerTestOneInput(exact.data, exact.len);
        input_free(exact);
    } else {
        fprintf(stderr, "%s: %s\n", name, strerror(errno));
    }
    cg_buf_fini(&bytes);
    return good;
}

/* How many files were replayed, or -1. */
static int replay_folder(const char *folder) {
    struct dirent **entries;
    int found = scandir(folder, &entries, NULL, alphasort), count = 0;
    if (found < 0) return -1;
    for (int i = 0; i < found; i++) {
        char name[4096];
        bool hidden = entries[i]->d_name[0] == '.';
        snprintf(name, sizeof name, "%s/%s", folder, entries[i]->d_name);
        free(entries[i]);
        if (hidden || count < 0) continue;
        count = replay_file(name) ? count + 1 : -1;
    }
    free(entries);
    return count;
}

int main(int argc, char **argv) {
    cg_log_set_level(CG_LOG_ERROR);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat status;
        bool folder = stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode);
        int count = folder ? replay_folder(argv[i]) : replay_file(argv[i]);
        if (count > 0) continue;
        fprintf(stderr, "%s: nothing to replay\n", argv[i]);
        return 1;
    }
    return 0;
}
