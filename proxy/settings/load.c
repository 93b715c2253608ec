/* A file to a snapshot. The hard thing: the file is as hostile as any other input until it is parsed; it is read with a
 * limit, must be one JSON value without double keys, and nothing of a half-read snapshot survives a mistake. */
#include "base/file.h"
#include "base/text.h"
#include "settings/json_text.h"
#include "settings/regular.h"
#include "settings/rows.h"
#include "settings/stored_reader.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static int read_file(const char *file, struct cg_buf *to, struct cg_mistakes *mistakes) {
    struct stat info;
    int fd = cg_regular_open(file, &info, mistakes);
    if (fd < 0) return CG_E_FORMAT;
    int why = cg_file_read_all(fd, CG_SETTINGS_FILE_MAX, to);
    close(fd);
    if (why == ENOMEM) return CG_E_NO_MEMORY;
    if (why != 0) {
        cg_mistakes_add(mistakes, "", "cannot be read: %s", strerror(why));
        return CG_E_FORMAT;
    }
    return CG_OK;
}

/* The document, or NULL with a mistake or for want of memory. */
static json_t *parse_json(struct cg_slice text, struct cg_mistakes *mistakes) {
    json_error_t error;
    bool is_short;
    if (text.len > CG_SETTINGS_FILE_MAX) {
        cg_mistakes_add(mistakes, "", "is larger than %zu MiB", CG_SETTINGS_FILE_MAX >> 20);
        return NULL;
    }
    json_t *json = cg_json_read(cg_utf8_without_mark(text), &error, &is_short);
    if (json != NULL || is_short) return json;
    if (json_error_code(&error) == json_error_stack_overflow) {
        cg_mistakes_add(mistakes, "", "line %d: arrays and objects are nested too deep", error.line);
    } else if (json_error_code(&error) == json_error_duplicate_key) {
        cg_mistakes_add(mistakes, "", "line %d, column %d: the same key twice in one object: %s", error.line,
                        error.column, error.text);
    } else {
        cg_mistakes_add(mistakes, "", "line %d, column %d: not JSON: %s", error.line, error.column, error.text);
    }
    return NULL;
}

struct cg_config *cg_settings_defaults(void) {
    struct cg_mistakes mistakes;
    struct cg_reader reader = {.config = cg_config_new(), .mistakes = &mistakes, .folder = "/"};
    if (reader.config == NULL) return NULL;
    cg_mistakes_init(&mistakes);
    cg_read_defaults(&reader, &cg_document_rows, reader.config);
    cg_mistakes_fini(&mistakes);
    if (!reader.out_of_memory) return reader.config;
    cg_config_unref(reader.config);
    return NULL;
}

/* Everything behind the JSON parser. `stored` NULL: the file alone. */
static int build(json_t *json, const char *folder, const struct cg_stored *stored, struct cg_config *config,
                 struct cg_mistakes *mistakes) {
    struct cg_reader reader = {.config = config, .mistakes = mistakes, .folder = folder};
    size_t before = mistakes->count;
    int err = CG_OK;
    cg_arena_init(&reader.scratch, SIZE_MAX, NULL);
    if (stored != NULL) {
        err = cg_read_with_stored(&reader, json, stored);
    } else {
        cg_read_document(&reader, json);
    }
    cg_stored_keep_file_keys(&reader, json);
    config->takes_anonymous = reader.takes_anonymous;
    cg_seen_clear(&reader.undefined);
    cg_unique_clear(&reader);
    cg_arena_fini(&reader.scratch);
    if (reader.out_of_memory) {
        cg_mistakes_fini(mistakes); /* what was found may come of the shortage: a client that is not there, say */
        return CG_E_NO_MEMORY;
    }
    if (mistakes->count > before) return err < 0 ? err : CG_E_FORMAT;
    return cg_config_index(config);
}

int cg_settings_parse_stored(struct cg_slice text, const char *folder, const struct cg_stored *stored,
                             struct cg_config **config, struct cg_mistakes *mistakes) {
    size_t before = mistakes->count;
    *config = NULL;
    json_t *json = parse_json(text, mistakes);
    if (json == NULL) return mistakes->count > before ? CG_E_FORMAT : CG_E_NO_MEMORY;
    struct cg_config *made = cg_config_new();
    int err = made == NULL ? CG_E_NO_MEMORY : build(json, folder, stored, made, mistakes);
    json_decref(json);
    if (err < 0) {
        cg_config_unref(made);
        return err;
    }
    *config = made;
    return CG_OK;
}

int cg_settings_parse(struct cg_slice text, const char *folder, struct cg_config **config,
                      struct cg_mistakes *mistakes) {
    return cg_settings_parse_stored(text, folder, NULL, config, mistakes);
}

int cg_settings_load_stored(const char *file, const struct cg_stored *stored, struct cg_config **config,
                            struct cg_mistakes *mistakes) {
    struct cg_buf text;
    *config = NULL;
    cg_buf_init(&text, 0);
    char *place = NULL;
    int err = read_file(file, &text, mistakes);
    if (err < 0) goto out;
    place = realpath(file, NULL);
    const char *folder = place == NULL ? NULL : dirname(place);
    if (place == NULL) folder = place = realpath(".", NULL); /* what was deleted while open, such as /dev/stdin */
    err = folder == NULL ? CG_E_NO_MEMORY
                         : cg_settings_parse_stored(cg_buf_slice(&text), folder, stored, config, mistakes);
out:
    free(place);
    cg_buf_fini(&text);
    return err;
}

int cg_settings_load(const char *file, struct cg_config **config, struct cg_mistakes *mistakes) {
    return cg_settings_load_stored(file, NULL, config, mistakes);
}
