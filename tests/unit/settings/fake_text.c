#include "fake_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

int parse_quoted(const char *document, struct cg_config **config, struct cg_mistakes *mistakes) {
    size_t len = strlen(document);
    char *text = malloc(len + 1);
    assert_non_null(text);
    for (size_t i = 0; i <= len; i++) text[i] = document[i] == '\'' ? '"' : document[i];
    int err = cg_settings_parse(cg_slice_of(text, len), "/etc/castgate", config, mistakes);
    free(text);
    return err;
}

struct cg_config *must_parse(const char *document) {
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = parse_quoted(document, &config, &mistakes);
    for (const struct cg_mistake *mistake = mistakes.first; mistake != NULL; mistake = mistake->next)
        print_error("%s: %s\n", mistake->pointer, mistake->message);
    cg_mistakes_fini(&mistakes);
    assert_int_equal(err, CG_OK);
    assert_non_null(config);
    return config;
}

static struct cg_config *lent[256];
static size_t lent_count;

const struct cg_config *settings_of(const char *document) {
    assert_true(lent_count < sizeof lent / sizeof *lent);
    return lent[lent_count++] = must_parse(document);
}

int settings_teardown(void **state) {
    (void)state;
    while (lent_count > 0) cg_config_unref(lent[--lent_count]);
    return 0;
}
