/* The settings file: any text is refused with reasons or gives a snapshot whose printed form gives the same snapshot.
 */
#include "input.h"

#include "settings/settings.h"

static void check_printable(const struct cg_mistakes *mistakes) {
    size_t count = 0;
    for (const struct cg_mistake *it = mistakes->first; it != NULL; it = it->next, count++) {
        for (const char *at = it->message; *at != '\0'; at++) CG_CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
        for (const char *at = it->pointer; *at != '\0'; at++) CG_CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
    }
    CG_CHECK(count == mistakes->listed && count <= mistakes->count && count <= CG_MISTAKES_LISTED);
}

static struct cg_slice print(const struct cg_config *config) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_settings_print(&text, config);
    CG_CHECK(!text.failed);
    struct cg_slice exact = input_exact(cg_buf_slice(&text));
    cg_buf_fini(&text);
    return exact;
}

static struct cg_config *parse(struct cg_slice text) {
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_settings_parse(text, "/nowhere", &config, &mistakes);
    CG_CHECK(err == CG_OK || err == CG_E_FORMAT);
    CG_CHECK((err == CG_OK) == (config != NULL) && (err == CG_OK) == (mistakes.count == 0));
    check_printable(&mistakes);
    cg_mistakes_fini(&mistakes);
    return config;
}

static void check_warnings(const struct cg_config *config) {
    struct cg_mistakes warnings;
    cg_mistakes_init(&warnings);
    cg_settings_warnings(config, &warnings);
    check_printable(&warnings);
    cg_mistakes_fini(&warnings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cg_config *config = parse(cg_slice_of(data, size));
    if (config == NULL) return 0;
    check_warnings(config);
    struct cg_slice text = print(config);
    struct cg_config *again = parse(text);
    CG_CHECK(again != NULL);
    struct cg_slice text_again = print(again);
    CG_CHECK(cg_slice_equal(text, text_again));
    input_free(text_again);
    input_free(text);
    cg_config_unref(again);
    cg_config_unref(config);
    return 0;
}
