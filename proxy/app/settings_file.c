/* Mistakes come as a list, with the place in the file that each is about. Both ways of telling them keep that place. */
#include "app/settings_file.h"

#include <stdio.h>

static void print(const char *file, const char *what, const struct cg_mistakes *mistakes) {
    for (const struct cg_mistake *it = mistakes->first; it != NULL; it = it->next) {
        fprintf(stderr, "%s: %s%s%s%s\n", file, what, it->pointer, it->pointer[0] == 0 ? "" : ": ", it->message);
    }
    if (mistakes->count > mistakes->listed)
        fprintf(stderr, "%s: %sand %zu more\n", file, what, mistakes->count - mistakes->listed);
}

void cg_settings_print_mistakes(const char *file, int err, const struct cg_mistakes *mistakes) {
    if (err == CG_E_NO_MEMORY) fprintf(stderr, "%s: no memory for these settings\n", file);
    print(file, "", mistakes);
}

void cg_settings_print_warnings(const char *file, const struct cg_mistakes *warnings) {
    print(file, "warning: ", warnings);
}

void cg_settings_log_mistakes(enum cg_log_level level, const char *event, const char *file,
                              const struct cg_mistakes *mistakes) {
    for (const struct cg_mistake *it = mistakes->first; it != NULL; it = it->next) {
        struct cg_log_line line;
        cg_log_begin(&line, level, event);
        cg_log_str(&line, "file", file);
        cg_log_str(&line, "at", it->pointer);
        cg_log_str(&line, "msg", it->message);
        cg_log_end(&line);
    }
    if (mistakes->count > mistakes->listed) cg_log(level, event, "and %zu more", mistakes->count - mistakes->listed);
}

struct cg_config *cg_settings_load_or_print(const char *file) {
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    struct cg_config *config = NULL;
    int err = cg_settings_load(file, &config, &mistakes);
    if (err < 0) cg_settings_print_mistakes(file, err, &mistakes);
    cg_mistakes_fini(&mistakes);
    return err < 0 ? NULL : config;
}
